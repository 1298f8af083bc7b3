#pragma once

#include <limelight/attention.h>

namespace limelight {

/// The keys and values of a batch of sequences, as a model keeps them between one token and the
/// next. Either contiguous, a piece of memory for each sequence:
///
///   key   [batch, num_kv_heads, capacity, head_dim]
///   value [batch, num_kv_heads, capacity, value_dim]
///
/// or paged, in blocks that sequences may share:
///
///   key         [blocks, num_kv_heads, block_size, head_dim]
///   value       [blocks, num_kv_heads, block_size, value_dim]
///   block_table [batch, most_blocks], i32 or i64: key j of sequence b is row j % block_size of
///               block block_table[b, j / block_size]; capacity is most_blocks * block_size.
///               Entries behind a sequence's last key are not looked at.
///
/// Any strides with a last stride of 1, so [blocks, block_size, num_kv_heads, dim] is passed
/// transposed(1, 2).
///
/// Key and value share one type: f32, bf16, f16, or i8 with scales, one for each row of key and of
/// value (a key is scale * its row).
struct KeyValueCache {
  ConstTensorView key;
  ConstTensorView value;
  ConstTensorView block_table;
  ConstTensorView key_scales;    ///< [batch or blocks, num_kv_heads, capacity or block_size], f32
  ConstTensorView value_scales;  ///< likewise
};

/// Attention of a few queries to many keys: what attention() computes, without a packed copy of the
/// cache. Each row of it is read once for all query heads that share it, for all queries of a
/// sequence, and for all sequences whose tables agree on the 512 keys around it.
///
///   query [batch, num_heads, 1 to 16, head_dim], f32, bf16 or f16
///   out   [batch, num_heads, 1 to 16, value_dim], of query's type or a wider one
///   lse   [batch, num_heads, 1 to 16], f32 or f64 (optional)
///
/// options: as for attention(), with kv_len = capacity. key_lengths says how many keys each
/// sequence has; with causal at bottom_right the last query stands beside the last of them. Options
/// that have no place here are refused: past_key, past_value, cu_seqlens and dropout.
///
/// Computed in f32, in pieces of 512 keys that are merged in order. With s the largest sum of
/// |query * key| * scale of a score and u = 2^-24, out is within 8 u (4 + s) times the largest
/// |value|, and lse within 2 u (4 + s) + 16 u; one rounding more where out is bf16 or f16. For i8
/// these bounds are with respect to the scaled rows.
///
/// The bits of a row depend on its own query, keys, values and options alone: not on the number of
/// threads, the sequences or queries beside it, the strides, the blocks that it lies in, or whether
/// others share them. They are not those of attention(), which adds in another order; that is why
/// attention() does not call this for few queries: there, a row's bits must not depend on how many
/// rows came with it.
///
/// What is hidden is not multiplied, and what lies behind a sequence's last key is not read. Throws
/// Error as attention() does. Safe to call from several threads at once. Scratch memory,
/// value_dim + 16 floats for each query row and 512 keys, stays with the calling thread.
void decode(ConstTensorView query, const KeyValueCache& cache, TensorView out,
            const AttentionOptions& options = {}, TensorView lse = {});

}  // namespace limelight
