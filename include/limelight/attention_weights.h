#pragma once

#include <limelight/attention.h>

#include <cstdint>

namespace limelight {

// Attention weights on demand: from query, key and the lse that attention() wrote, any of its
// weights, and what can be said of all of them, without the q_len x kv_len matrix.
//
//   weight_ij = exp(score_ij - lse_i), and 0 where key j is hidden from query i
//
// Scores are made as attention() makes them, of the same options. A sink's share stands in lse, so
// that the weights of a row and its sink's share sum to 1. Weights are those before dropout. Rows
// and keys are counted as the tensors count them: past keys first; in a ragged batch along the
// whole length axis, where a query's weight for the keys of another sequence is 0.
//
// Results are f32 or f64. Computed in f64 where query or the result is f64, else in f32: with s the
// largest sum of |query * key| * scale of a score and u = 2^-24, each weight is within 8 u (5 + s)
// of exact, relatively, given an exact lse, and as much again for an lse in f32. (In bf16, where
// the processor has AMX or AVX512-BF16, numbers below 2^-126 count as 0 in a score.)
//
// A weight's bits depend on its own query, key, lse and options alone. Means, sums and entropies
// are added in an order that the call's extents fix. So all have the same bits for any number of
// threads, any batch around them, and any strides.
//
// What is hidden contributes nothing, also when it holds NaN or infinity; a row with nothing to
// attend to has weights 0 and entropy 0; NaN in a visible place shows.
//
// Each throws Error as attention() does, naming the argument. Safe to call from several threads at
// once. Scratch memory, under 1 MiB a thread for head_dim up to 128 (and 4 KiB more for each of the
// k of top_attention_weights), stays with the calling thread for its next call.

/// The call of attention() whose weights are asked for: its tensors, the lse that it wrote, and its
/// options.
struct AttentionRun {
  ConstTensorView query;  ///< [batch, num_heads, q_len, head_dim]
  ConstTensorView key;    ///< [batch, num_kv_heads, new_len, head_dim]
  ConstTensorView lse;    ///< [batch, num_heads, q_len], f32 or f64
  AttentionOptions options;
};

/// Some places along an axis: begin to end - 1, or those listed.
struct Selection {
  static constexpr std::int64_t kToTheEnd = -1;
  std::int64_t begin = 0;
  std::int64_t end = kToTheEnd;
  /// [count], i32 or i64: these places instead, in this order, each as often as it is listed.
  ConstTensorView listed;
};

/// out [batch, num_heads, rows, columns] = the weights of the rows (queries) and columns (keys)
/// selected: chosen rows, chosen columns, a tile (a range of each), or single ones.
void attention_weights(const AttentionRun& run, const Selection& rows, const Selection& columns,
                       TensorView out);

/// The k = indices.size(3) largest weights of every row, the largest first, of equal ones the
/// smaller key first. NaN comes before any number. Where fewer than k weights are above 0, the rest
/// of a row has index -1 and weight 0.
///
///   indices [batch, num_heads, q_len, k], i32 or i64      weights [batch, num_heads, q_len, k]
void top_attention_weights(const AttentionRun& run, TensorView indices, TensorView weights);

/// How much attention each key receives: out [batch, num_heads, kv_len] = the sum of its weights
/// over all queries.
void attention_column_sums(const AttentionRun& run, TensorView out);

/// How spread each row is: out [batch, num_heads, q_len] = -sum_j weight_ij ln weight_ij, in nats,
/// with 0 ln 0 = 0. A sink's share is no term of it. Within 16 u (5 + s) (2 + ln kv_len).
void attention_entropy(const AttentionRun& run, TensorView out);

enum class Pooling : std::uint8_t { mean, max };

/// A picture of a rectangle of the matrix of weights: out [batch, num_heads, height, width] shows
/// the rows and columns of two ranges (not listed ones) in height x width cells of equal size.
///
/// The weights are taken as a function of the plane, constant on a unit square for each query and
/// key. A cell holds the function's mean over it, or its largest value in it. So where cells do not
/// divide evenly a weight enters each cell by the area it has there, and out may have more cells
/// than there are queries or keys: then a weight fills several. Hidden keys are 0, and count.
void attention_map(const AttentionRun& run, const Selection& rows, const Selection& columns,
                   Pooling pooling, TensorView out);

}  // namespace limelight
