#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "attention/check_arguments.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "base/parallel.h"

namespace limelight::simd {

/// A thread's own memory: a tile of keys with its gradients, and what one block of queries needs.
struct BackwardScratch {
  float* rows;               ///< kLaneMultiple rows, for transposing
  float* keys_transposed;    ///< [head_dim, kTileKeys]
  float* values_transposed;  ///< [value_dim, kTileKeys]
  float* keys;               ///< [kTileKeys, head_width]
  float* grad_keys;          ///< [kTileKeys, head_width]
  float* grad_values;        ///< [kTileKeys, value_width]
  float* query;              ///< [kBackwardRows, head_width], times softmax_scale
  float* grad_query;         ///< [kBackwardRows, head_width], before softmax_scale
  float* grad_out;           ///< [kBackwardRows, value_width]
  float* weights;            ///< [kBackwardRows, kTileKeys]: scores first
  float* grad_scores;        ///< [kBackwardRows, kTileKeys]: gradients of weights first
  float* additions;          ///< [kBackwardRows, kTileKeys]
  float* factors;            ///< [kTileKeys], of dropout
  float* slopes;             ///< [kTileKeys], of softcap

  static std::int64_t floats(const KernelCall& call) {
    const std::int64_t widths = call.head_width + call.value_width;
    return kLaneMultiple * widths + kTileKeys * (2 * widths + call.head_width) +
           kBackwardRows * (widths + call.head_width + 3 * kTileKeys) + 2 * kTileKeys;
  }
  BackwardScratch(const KernelCall& call, Scratch& scratch)
      : rows(scratch.take(kLaneMultiple * (call.head_width + call.value_width))),
        keys_transposed(scratch.take(kTileKeys * call.head_width)),
        values_transposed(scratch.take(kTileKeys * call.value_width)),
        keys(scratch.take(kTileKeys * call.head_width)),
        grad_keys(scratch.take(kTileKeys * call.head_width)),
        grad_values(scratch.take(kTileKeys * call.value_width)),
        query(scratch.take(kBackwardRows * call.head_width)),
        grad_query(scratch.take(kBackwardRows * call.head_width)),
        grad_out(scratch.take(kBackwardRows * call.value_width)),
        weights(scratch.take(kBackwardRows * kTileKeys)),
        grad_scores(scratch.take(kBackwardRows * kTileKeys)),
        additions(scratch.take(kBackwardRows * kTileKeys)),
        factors(scratch.take(kTileKeys)),
        slopes(scratch.take(kTileKeys)) {}
};

/// What every piece of a backward shares.
struct BackwardCall : KernelCall {
  BackwardCall(const BackwardArguments& call_arguments, const AttentionShape& call_shape,
               const AttentionOptions& options, const Visibility& call_visibility)
      : KernelCall(call_shape, options, call_visibility),
        arguments(call_arguments),
        keys{options.past_key, arguments.key, shape.past_len},
        values{options.past_value, arguments.value, shape.past_len},
        grad_keys{arguments.gradients.past_key, arguments.gradients.key, shape.past_len},
        grad_values{arguments.gradients.past_value, arguments.gradients.value, shape.past_len} {}

  bool wants_query() const { return !arguments.gradients.query.empty(); }
  /// Row i of a sequence's head among all rows of all heads.
  std::int64_t row_index(HeadPlace place, std::int64_t i) const {
    const Sequence& sequence = place.sequence;
    return (sequence.batch * shape.num_heads + place.head) * shape.q_len + sequence.first_query + i;
  }

  const BackwardArguments& arguments;
  KeySource keys, values;
  KeyTarget grad_keys, grad_values;
  float* delta = nullptr;       ///< of each row: sum of out * grad_out
  float* query_sums = nullptr;  ///< rows of head_dim; null where grad_query is f32 and sums itself
  /// For each block of queries the tile whose turn it is to add to grad_query. The order of
  /// additions fixes the bits. Pieces of work begin in the order of tiles, so whoever is waited for
  /// is at work.
  std::atomic<std::int64_t>* turns = nullptr;
};

/// Some queries of one head, at most kBackwardRows, and the tiles [first_tile, last_tile) that some
/// of them may see.
struct QueryBlock {
  HeadPlace place;
  std::int64_t first;
  std::int64_t rows;
  std::int64_t first_tile, last_tile;
  std::atomic<std::int64_t>* turn;  ///< null where grad_query is not added to
};

inline std::int64_t blocks_of(const Sequence& sequence) {
  return ceil_div(sequence.q_len, kBackwardRows);
}

/// `first_block` counts the blocks of the heads and sequences before this head's.
inline QueryBlock query_block(const BackwardCall& call, HeadPlace place, std::int64_t first_block,
                              std::int64_t index) {
  QueryBlock block = {place, index * kBackwardRows, 0, 0, 0, nullptr};
  if (call.turns) block.turn = call.turns + first_block + index;
  block.rows = std::min(kBackwardRows, place.sequence.q_len - block.first);
  const std::int64_t begin = call.visibility.range(place.sequence, block.first).begin;
  const std::int64_t end = call.visibility.range(place.sequence, block.first + block.rows - 1).end;
  if (begin < end) {
    block.first_tile = begin / kTileKeys;
    block.last_tile = ceil_div(end, kTileKeys);
  }
  return block;
}

/// One tile of keys of one head of one sequence.
struct KeyTile {
  const Sequence& sequence;
  std::int64_t kv_head;
  std::int64_t index;
  std::int64_t first_block;  ///< of the head's first query head, among all
  bool finite = false;       ///< its keys and values

  KeyRange keys() const {
    return {index * kTileKeys, std::min((index + 1) * kTileKeys, sequence.kv_len)};
  }
};

/// The number of a sequence's first block of queries among those of all heads of all sequences, and
/// at the end how many there are.
std::vector<std::int64_t> first_blocks(const AttentionShape& shape,
                                       const std::vector<Sequence>& sequences);

/// What bias is the gradient of, summed over the axes that it broadcasts. Scores and gradients of
/// weights are computed once more for it: two products on top of the backward's five.
/// REQUIRES: call.delta is there; one scratch for each thread; turns are not used.
void store_bias_gradient(const BackwardCall& call, bool alone,
                         const std::vector<BackwardScratch>& scratch_of_thread);

}  // namespace limelight::simd
