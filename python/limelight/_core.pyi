from typing import Any

import numpy as np

class Error(ValueError):
    """An argument that cannot be: the message names it, what was expected and what came."""

def attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    lse: np.ndarray | None,
    keywords: dict[str, Any],
) -> None: ...
def attention_backward(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    lse: np.ndarray,
    grad_out: np.ndarray,
    gradients: dict[str, np.ndarray],
    keywords: dict[str, Any],
) -> None: ...
def rope(
    x: np.ndarray,
    positions: np.ndarray,
    out: np.ndarray,
    theta: float,
    rotary_dim: int,
    interleaved: bool,
    scaling: dict[str, Any] | None,
    backward: bool,
) -> None: ...
def rope_rotate(
    x: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    out: np.ndarray,
    interleaved: bool,
    backward: bool,
) -> None: ...
def instruction_set() -> str:
    """The vector instruction set that kernels run on: "avx512", "avx2", "sse4", "neon", "portable".

    The environment variable LIMELIGHT_ISA forces one."""
