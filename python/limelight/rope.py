"""Rotary position embedding, which attention's users need beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .attention import _array, _tensor


def rope(
    x: Any,
    positions: Any = None,
    *,
    theta: float = 10000.0,
    rotary_dim: int | None = None,
    interleaved: bool = False,
    scaling: dict[str, Any] | None = None,
    backward: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Turns the pairs of each row of x by its position times the pair's frequency.

    Arguments:
      x: [batch, heads, length, head_dim], queries or keys.
      positions: [length] or [batch, length] integers; 0, 1, 2, ... when None.
      theta: pair i turns by theta ** (-2 i / rotary_dim) radians a position.
      rotary_dim: the first so many elements turn (all when None), the others pass.
      interleaved: pairs are (2 i, 2 i + 1) rather than (i, i + rotary_dim / 2).
      scaling: {"type": "linear", "factor": f}, {"type": "llama3", "factor", "low_freq_factor",
        "high_freq_factor", "original_context"} or {"type": "yarn", "factor", "original_context",
        "beta_fast", "beta_slow", "attention_factor"}.
      backward: x is the gradient of the result, and what comes out that of x.
      out: where to write; may be x. Made when None.

    Returns: out, of x's shape and type. Angles are computed in float64; one rounding to the type.
    Raises: Error, naming the argument.
    """
    x = _tensor(x, "x")
    if positions is None:
        positions = np.arange(x.shape[2], dtype=np.int64)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    _core.rope(x, _array(positions, "positions"), out, theta, rotary_dim or 0, interleaved, scaling,
               backward)
    return out


def rope_rotate(
    x: Any,
    cosines: Any,
    sines: Any,
    *,
    interleaved: bool = False,
    backward: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The same with cosines and sines from elsewhere: [length, rotary_dim / 2] or
    [batch, length, rotary_dim / 2]."""
    x = _tensor(x, "x")
    if out is None:
        out = np.empty(x.shape, x.dtype)
    _core.rope_rotate(x, _array(cosines, "cosines"), _array(sines, "sines"), out, interleaved, backward)
    return out
