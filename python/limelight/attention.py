"""The attention operator, forward and backward, on arrays."""

from __future__ import annotations

import math
import os
from typing import Any, Literal, NamedTuple, Sequence

import numpy as np

from . import _core
from ._core import Error

Alignment = Literal["top_left", "bottom_right"]


class Gradients(NamedTuple):
    """What attention_backward gives: each of its tensor's shape and type, or None where the forward
    had no such tensor."""

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    past_key: np.ndarray | None = None
    past_value: np.ndarray | None = None
    bias: np.ndarray | None = None
    sinks: np.ndarray | None = None


def _array(tensor: Any, name: str) -> Any:
    """`tensor` as a NumPy array whose last stride is one element; a copy only where it must be."""
    if tensor is None:
        return None
    if not isinstance(tensor, np.ndarray):
        if hasattr(tensor, "__dlpack__"):
            try:
                tensor = np.from_dlpack(tensor)
            except (RuntimeError, BufferError, TypeError) as error:
                raise Error(f"{name}: cannot be read through DLPack: {error}") from None
        else:
            tensor = np.asarray(tensor)
    if not tensor.dtype.isnative:
        tensor = tensor.astype(tensor.dtype.newbyteorder("="))
    if tensor.ndim > 0 and tensor.shape[-1] > 1 and tensor.strides[-1] != tensor.itemsize:
        tensor = np.ascontiguousarray(tensor)
    return tensor


def _tensor(tensor: Any, name: str) -> np.ndarray:
    array = _array(tensor, name)
    if array is None or array.ndim != 4:
        found = "None" if array is None else f"shape {array.shape}"
        raise Error(f"{name}: expected an array [batch, heads, length, dim], got {found}")
    return array


_ARRAY_OPTIONS = (
    "past_key",
    "past_value",
    "key_lengths",
    "cu_seqlens_query",
    "cu_seqlens_key",
    "mask",
    "bias",
    "alibi_slopes",
    "query_documents",
    "key_documents",
    "sinks",
)


_OPTIONS = (
    *_ARRAY_OPTIONS,
    "softmax_scale",
    "causal",
    "window",
    "alignment",
    "softcap",
    "dropout",
    "dropout_seed",
    "dropout_stream",
)


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _array(value, name) if name in _ARRAY_OPTIONS else value
        for name, value in options.items()
    }


def attention(
    query: Any,
    key: Any,
    value: Any,
    *,
    softmax_scale: float | None = None,
    causal: Alignment | None = None,
    window: Sequence[int | None] | None = None,
    alignment: Alignment | None = None,
    past_key: Any = None,
    past_value: Any = None,
    key_lengths: Any = None,
    cu_seqlens_query: Any = None,
    cu_seqlens_key: Any = None,
    mask: Any = None,
    bias: Any = None,
    alibi_slopes: Any = None,
    query_documents: Any = None,
    key_documents: Any = None,
    softcap: float | None = None,
    sinks: Any = None,
    dropout: float = 0.0,
    dropout_seed: int = 0,
    dropout_stream: int = 0,
    out: np.ndarray | None = None,
    return_lse: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """out = softmax(query keyT * softmax_scale + masks) value, for every batch item and head.

    Arguments:
      query: [batch, num_heads, q_len, head_dim], float32, float16, bfloat16 (an ml_dtypes array, or
        its bits as uint16) or float64. Any strides; the last must be one element, or it is copied.
      key: [batch, num_kv_heads, new_len, head_dim], of query's type. num_heads is a multiple of
        num_kv_heads: query head h reads key head h // (num_heads // num_kv_heads).
      value: [batch, num_kv_heads, new_len, value_dim], of query's type.
      softmax_scale: 1 / sqrt(head_dim) when None.
      causal: "top_left": query i sees new keys j <= i (and all past ones); "bottom_right": the last
        query stands beside the last key.
      window: (left, right): a query at place p sees keys p - left to p + right; None for no limit.
        Places are as `causal` says, or `alignment`.
      past_key, past_value: [batch, num_kv_heads, past_len, dim], before key and value.
      key_lengths: [batch], int32 or int64: how many keys, past ones counted, each item has.
      cu_seqlens_query, cu_seqlens_key: [sequences + 1]: ragged batches in tensors of batch 1.
      mask: bool or uint8, broadcasts to [batch, num_heads, q_len, kv_len]; True is visible.
      bias: added to the scores; broadcasts likewise; -inf hides.
      alibi_slopes: [num_heads] or [batch, num_heads]: -slope * |place - j| is added.
      query_documents, key_documents: [batch, q_len] and [batch, kv_len] integers: a query sees the
        keys of its own document.
      softcap: scores become softcap * tanh(score / softcap) before anything is added.
      sinks: [num_heads]: a score that takes its share of the weights and has no value.
      dropout: probability that a weight is dropped; dropout_seed and dropout_stream say which.
      out: where to write, [batch, num_heads, q_len, value_dim]; made when None.
      return_lse: also return the natural logarithm of each row's sum of exp(score).

    Returns: out of query's type, or (out, lse) with lse [batch, num_heads, q_len] in float32
      (float64 for float64). A row that sees nothing has out 0 and lse -inf.

    Raises: Error (a ValueError) that names the argument, what was expected and what came.

    Accuracy: computed in float32 (float64 for float64); within a few units in the last place of the
      largest value, as stated in docs/performance.md. The same bits for any number of threads.
    Threads: releases the GIL; safe from several threads. Ctrl-C ends the call soon, with
      KeyboardInterrupt; what `out` holds then is unspecified.
    """
    options = dict(locals())
    for name in ("query", "key", "value", "out", "return_lse"):
        del options[name]
    query, key, value = _tensor(query, "query"), _tensor(key, "key"), _tensor(value, "value")
    if out is None:
        out = np.empty((*query.shape[:3], value.shape[3]), query.dtype)
    lse = None
    if return_lse:
        lse = np.empty(query.shape[:3], np.float64 if query.dtype == np.float64 else np.float32)
    _core.attention(query, key, value, out, lse, _options(options))
    return (out, lse) if return_lse else out


def attention_backward(
    query: Any, key: Any, value: Any, out: Any, lse: Any, grad_out: Any, **options: Any
) -> Gradients:
    """The gradients of a scalar loss, given its gradient with respect to out.

    `out` and `lse` are what attention(..., return_lse=True) gave with the same options, which are
    passed here as well. Gradients are summed in float32 (float64 for float64) and have the types of
    their tensors; those of mask-like integers do not exist. Raises Error as attention does.
    """
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"attention_backward() got an unexpected keyword argument {name!r}")
    arrays = {"query": _tensor(query, "query"), "key": _tensor(key, "key"),
              "value": _tensor(value, "value")}
    options = _options({"dropout_seed": 0, "dropout_stream": 0, **options})
    for name in ("past_key", "past_value", "bias", "sinks"):
        if options.get(name) is not None:
            arrays[name] = options[name]
    gradients = {name: np.empty(array.shape, array.dtype) for name, array in arrays.items()}
    _core.attention_backward(
        arrays["query"], arrays["key"], arrays["value"], _tensor(out, "out"), _array(lse, "lse"),
        _tensor(grad_out, "grad_out"), gradients, options)
    return Gradients(**gradients)


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> np.ndarray:
    """torch.nn.functional.scaled_dot_product_attention, on arrays, so that one import is swapped.

    query [..., heads, q_len, dim], key and value [..., kv_heads, kv_len, dim]: axes before these
    broadcast, also none. attn_mask: bool (True takes part) or a number that is added, broadcasting to
    [..., heads, q_len, kv_len]. is_causal aligns at the top left, and excludes attn_mask. enable_gqa
    lets heads be a multiple of kv_heads. dropout_p draws a new seed at each call. A row in which
    everything is masked is 0, as in PyTorch from 2.5 on.
    """
    arrays = [np.asarray(_array(t, n)) for t, n in ((query, "query"), (key, "key"), (value, "value"))]
    for array, name in zip(arrays, ("query", "key", "value")):
        if array.ndim < 2:
            raise Error(f"{name}: expected at least 2 axes, got shape {array.shape}")
    if is_causal and attn_mask is not None:
        raise Error("attn_mask: cannot be given together with is_causal")
    if not 0 <= dropout_p <= 1:
        raise Error(f"dropout_p: expected a probability, from 0 to 1, got {dropout_p!r}")
    heads = [array.shape[-3] if array.ndim > 2 else 1 for array in arrays]
    if not enable_gqa and not (heads[0] == heads[1] == heads[2] or 1 in heads):
        raise Error(f"enable_gqa: needed for {heads[0]} query heads on {heads[1]} key heads")
    shapes = [array.shape for array in arrays]
    try:
        batch = np.broadcast_shapes(*(shape[:-3] for shape in shapes))
        if not enable_gqa:
            heads = [*np.broadcast_shapes(*((count,) for count in heads))] * 3
    except ValueError:
        raise Error(f"key, value: expected axes before the last two that broadcast with query's "
                    f"{shapes[0]}, got {shapes[1]} and {shapes[2]}") from None

    query, key, value = (_with_leading(array, (*batch, count)) for array, count in zip(arrays, heads))
    options: dict[str, Any] = {}
    if is_causal:
        options["causal"] = "top_left"
    if attn_mask is not None:
        name, mask = _torch_mask(attn_mask)
        every = (*batch, heads[0], query.shape[2], key.shape[2])
        try:
            np.broadcast_to(mask, every)
        except ValueError:
            raise Error(f"attn_mask: expected a shape that broadcasts to {every}, "
                        f"got {mask.shape}") from None
        options[name] = _with_leading(mask, (*batch, mask.shape[-3] if mask.ndim > 2 else 1))
    if dropout_p == 1:
        value, dropout_p = np.zeros_like(value), 0
    if dropout_p > 0:
        options.update(dropout=dropout_p, dropout_seed=int.from_bytes(os.urandom(8), "little"))
    out = attention(query, key, value, softmax_scale=scale, **options)
    shape = (*batch, heads[0], *out.shape[-2:])
    return out.reshape(shape if max(a.ndim for a in arrays) > 2 else shape[-2:])


def _with_leading(array: np.ndarray, leading: tuple[int, ...]) -> np.ndarray:
    """`array` [..., rows, columns] as [batch, heads, rows, columns], its axes before the last two
    broadcast to `leading`."""
    array = array.reshape((1,) * (2 - array.ndim) + array.shape)
    full = np.broadcast_to(array, (*leading, *array.shape[-2:]))
    return full.reshape((math.prod(leading[:-1]), leading[-1], *full.shape[-2:]))


def _torch_mask(attn_mask: Any) -> tuple[str, np.ndarray]:
    """Which option PyTorch's attn_mask is: bool hides, numbers are added."""
    mask = np.asarray(_array(attn_mask, "attn_mask"))
    if mask.dtype == np.bool_:
        return "mask", mask
    if mask.dtype.kind == "f" or mask.dtype == np.uint16 or str(mask.dtype) == "bfloat16":
        return "bias", mask
    raise Error(f"attn_mask: expected bool or a floating type, got {mask.dtype}")
