"""Attention weights on demand: from query, key and lse, without the matrix."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Sequence

import numpy as np

from . import _core
from ._core import Error
from .attention import _array, _options, _tensor


class TopWeights(NamedTuple):
    """The largest weights of every row: [batch, num_heads, q_len, k] each, the largest first, of
    equal ones the smaller key first. Where fewer than k are above 0, index -1 and weight 0."""

    indices: np.ndarray
    weights: np.ndarray


_QUESTIONS = "rows, columns, tile, top_k, column_sums, entropy, pooled"


def _places(places: Any, name: str) -> np.ndarray:
    array = np.asarray(_array(places, name))
    if array.ndim != 1 or not (array.dtype.kind in "iu" or array.size == 0):
        raise Error(f"{name}: expected a list of indices, got {places!r}")
    return array.astype(np.int64)


def _rectangle(tile: Any) -> tuple[int, int, int, int]:
    try:
        (first_row, end_row), (first_key, end_key) = tile
        return int(first_row), int(end_row), int(first_key), int(end_key)
    except (TypeError, ValueError):
        raise Error("tile: expected ((first_row, end_row), (first_key, end_key)), got "
                    f"{tile!r}") from None


def attention_weights(
    query: Any,
    key: Any,
    lse: Any,
    *,
    rows: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
    tile: tuple[tuple[int, int], tuple[int, int]] | None = None,
    top_k: int | None = None,
    column_sums: bool = False,
    entropy: bool = False,
    pooled: tuple[int, int] | None = None,
    pooling: Literal["mean", "max"] = "mean",
    dtype: Any = None,
    **options: Any,
) -> np.ndarray | TopWeights:
    """What a call of limelight.attention attended to, without its q_len x kv_len matrix.

    weight_ij = exp(score_ij - lse_i), 0 where key j is hidden from query i. Rows and keys are counted
    as the tensors count them: past keys first; in a ragged batch along the whole length.

    Arguments:
      query, key: as given to attention.
      lse: as attention(..., return_lse=True) gave it.
      options: those that attention was given. Weights are those before dropout; a sink's share is in
        lse, so that a row's weights and its sink's share sum to 1.
      dtype: of the result, float32 or float64 (float64 for float64 arrays, else float32, when None).

    One question:
      rows, columns: lists of indices, one or both: [batch, num_heads, rows, columns], all of the axis
        that is not given.
      tile: ((first_row, end_row), (first_key, end_key)): the weights of a rectangle,
        [batch, num_heads, end_row - first_row, end_key - first_key].
      top_k: TopWeights, the k largest of every row with their keys. NaN comes before any number.
      column_sums: True: how much attention each key receives, [batch, num_heads, kv_len].
      entropy: True: of every row in nats, -sum w ln w, [batch, num_heads, q_len].
      pooled: (height, width): a picture of all weights, or of the rectangle `tile`, in cells of equal
        size, [batch, num_heads, height, width]. With pooling "mean" a cell is the mean over its area: a
        weight on an edge enters each cell by the area that it has there. With "max", the largest that
        has a part in it. More cells than rows or keys are allowed. Hidden keys are 0, and count.

    Raises: Error (a ValueError) that names the argument, what was expected and what came.

    Accuracy: computed in float32 (float64 where query or dtype is); each weight within a few units in
      the last place times the size of its score (include/limelight/attention_weights.h states it). The
      same bits for any number of threads. Memory: under 1 MiB a thread beside the result.
    Threads: releases the GIL; safe from several threads. Ctrl-C is raised when the call returns.

    Example:
      out, lse = limelight.attention(query, key, value, causal="top_left", return_lse=True)
      top = limelight.attention_weights(query, key, lse, top_k=8, causal="top_left")
      picture = limelight.attention_weights(query, key, lse, pooled=(512, 512), causal="top_left")
    """
    query, key, lse = _tensor(query, "query"), _tensor(key, "key"), _array(lse, "lse")
    asked = [name for name, is_asked in (
        ("rows, columns", rows is not None or columns is not None),
        ("tile", tile is not None and pooled is None), ("top_k", top_k is not None),
        ("column_sums", column_sums), ("entropy", entropy), ("pooled", pooled is not None)) if is_asked]
    if len(asked) != 1:
        raise Error(f"{_QUESTIONS}: expected one question, got {', '.join(asked) or 'none'}")
    if dtype is None:
        dtype = np.float64 if query.dtype == np.float64 else np.float32
    options = _options({"dropout_seed": 0, "dropout_stream": 0, **options})
    past = options.get("past_key")
    kv_len = key.shape[2] + (past.shape[2] if past is not None and past.ndim == 4 else 0)
    heads, q_len = query.shape[:2], query.shape[2]
    run = (query, key, lse)

    def result(*sizes: int) -> np.ndarray:
        if any(size < 0 for size in sizes):
            raise Error(f"{asked[0]}: expected sizes of 0 or more, got {sizes}")
        return np.empty((*heads, *sizes), dtype)

    if top_k is not None:
        top = TopWeights(np.empty(result(q_len, top_k).shape, np.int64), result(q_len, top_k))
        _core.top_attention_weights(*run, top.indices, top.weights, options)
        return top
    if column_sums or entropy:
        out = result(kv_len if column_sums else q_len)
        ask = _core.attention_column_sums if column_sums else _core.attention_entropy
        ask(*run, out, options)
        return out
    first_row, end_row, first_key, end_key = _rectangle(tile) if tile is not None else (
        0, q_len, 0, kv_len)
    if pooled is not None:
        if pooling not in ("mean", "max"):
            raise Error(f'pooling: expected "mean" or "max", got {pooling!r}')
        try:
            height, width = (int(size) for size in pooled)
        except (TypeError, ValueError):
            raise Error(f"pooled: expected (height, width), got {pooled!r}") from None
        out = result(height, width)
        _core.attention_map(*run, first_row, end_row, first_key, end_key, pooling == "max", out,
                            options)
        return out
    if tile is not None:
        out = result(max(end_row - first_row, 0), max(end_key - first_key, 0))
        _core.attention_weights(*run, (first_row, end_row), (first_key, end_key), out, options)
        return out
    chosen = [places if places is None else _places(places, name)
              for places, name in ((rows, "rows"), (columns, "columns"))]
    sizes = [length if places is None else places.size
             for places, length in zip(chosen, (q_len, kv_len))]
    out = result(*sizes)
    _core.attention_weights(*run, *chosen, out, options)
    return out
