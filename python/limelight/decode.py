"""Decoding: a few queries against a cache of keys and values."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from . import _core
from .attention import Alignment, _array, _options, _tensor


def decode(
    query: Any,
    key: Any,
    value: Any,
    *,
    key_lengths: Any = None,
    block_table: Any = None,
    key_scales: Any = None,
    value_scales: Any = None,
    softmax_scale: float | None = None,
    causal: Alignment | None = None,
    window: Sequence[int | None] | None = None,
    alignment: Alignment | None = None,
    mask: Any = None,
    bias: Any = None,
    alibi_slopes: Any = None,
    query_documents: Any = None,
    key_documents: Any = None,
    softcap: float | None = None,
    sinks: Any = None,
    out: np.ndarray | None = None,
    return_lse: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Attention of 1 to 16 queries of each sequence to a cache, which is read once and not packed.

    Arguments:
      query: [batch, num_heads, queries, head_dim], float32, float16 or bfloat16.
      key, value: a contiguous cache [batch, num_kv_heads, capacity, dim], or with block_table a paged
        one [blocks, num_kv_heads, block_size, dim]; float32, float16, bfloat16, or int8 with scales.
        Any strides with a last stride of one element.
      key_lengths: [batch]: how many keys each sequence has; the capacity when None. What lies behind is
        not read. With causal="bottom_right" the last query stands beside the last key.
      block_table: [batch, most_blocks], int32 or int64: key j of sequence b is row j % block_size of
        block block_table[b, j // block_size]. Sequences whose tables agree read their blocks once.
      key_scales, value_scales: for int8, float32, the first three axes of key: a row is scale * row.
      The other options are those of attention(), with kv_len the capacity.
      out: where to write, [batch, num_heads, queries, value_dim]; made when None.
      return_lse: also return the natural logarithm of each row's sum of exp(score).

    Returns: out of query's type, or (out, lse) with lse [batch, num_heads, queries] in float32.

    Raises: Error (a ValueError) that names the argument, what was expected and what came.

    Accuracy: as attention() in float32. A row has the same bits for any number of threads, whatever
      sequences and queries are beside it, and however the cache is laid out; they are not attention()'s.
    Threads: releases the GIL; safe from several threads. Ctrl-C is raised when the call returns.

    Example:
      out = limelight.decode(query, key_pages, value_pages, block_table=table, key_lengths=lengths)
    """
    options = dict(locals())
    for name in ("query", "key", "value", "block_table", "key_scales", "value_scales", "out",
                 "return_lse"):
        del options[name]
    query, key, value = _tensor(query, "query"), _tensor(key, "key"), _tensor(value, "value")
    if out is None:
        out = np.empty((*query.shape[:3], value.shape[3]), query.dtype)
    lse = np.empty(query.shape[:3], np.float32) if return_lse else None
    _core.decode(query, key, value, _array(block_table, "block_table"),
                 _array(key_scales, "key_scales"), _array(value_scales, "value_scales"), out, lse,
                 _options(options))
    return (out, lse) if return_lse else out
