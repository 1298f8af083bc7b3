#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

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

/// What every piece of a backward shares, whatever its kernels multiply with.
struct BackwardCall : KernelCall {
  BackwardCall(const BackwardArguments& call_arguments, const AttentionShape& call_shape,
               const AttentionOptions& options, const Visibility& call_visibility,
               std::int64_t rows_of_block)
      : KernelCall(call_shape, options, call_visibility),
        arguments(call_arguments),
        keys{options.past_key, arguments.key, shape.past_len},
        values{options.past_value, arguments.value, shape.past_len},
        grad_keys{arguments.gradients.past_key, arguments.gradients.key, shape.past_len},
        grad_values{arguments.gradients.past_value, arguments.gradients.value, shape.past_len},
        block_rows(rows_of_block) {}

  bool wants_query() const { return !arguments.gradients.query.empty(); }
  /// Rows of all heads.
  std::int64_t rows() const { return shape.batch * shape.num_heads * shape.q_len; }
  /// Row i of a sequence's head among them.
  std::int64_t row_index(HeadPlace place, std::int64_t i) const {
    const Sequence& sequence = place.sequence;
    return (sequence.batch * shape.num_heads + place.head) * shape.q_len + sequence.first_query + i;
  }
  /// Blocks of queries of a sequence's head.
  std::int64_t blocks_of(const Sequence& sequence) const {
    return ceil_div(sequence.q_len, block_rows);
  }

  const BackwardArguments& arguments;
  KeySource keys, values;
  KeyTarget grad_keys, grad_values;
  std::int64_t block_rows;  ///< queries of a block, at most
  float* delta = nullptr;   ///< of each row: sum of out * grad_out
  /// For each block of queries the tile whose turn it is to add to grad_query. The order of
  /// additions fixes the bits. Pieces of work begin in the order of tiles, so whoever is waited for
  /// is at work.
  std::atomic<std::int64_t>* turns = nullptr;
};

/// Some queries of one head and the tiles [first_tile, last_tile) that some of them may see.
struct QueryBlock {
  HeadPlace place;
  std::int64_t number;  ///< among the blocks of all heads of all sequences
  std::int64_t first;
  std::int64_t rows;
  std::int64_t first_tile, last_tile;
  std::atomic<std::int64_t>* turn;  ///< null where grad_query is not added to

  bool may_see(std::int64_t tile) const { return first_tile <= tile && tile < last_tile; }
};

/// Block `index` of a head, whose first block has this number.
inline QueryBlock query_block(const BackwardCall& call, HeadPlace place, std::int64_t first_block,
                              std::int64_t index) {
  QueryBlock block = {place, first_block + index, index * call.block_rows, 0, 0, 0, nullptr};
  if (call.turns) block.turn = call.turns + block.number;
  block.rows = std::min(call.block_rows, place.sequence.q_len - block.first);
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

/// body(block) for every block of queries that may see something of a tile, head after head.
template <class Body>
void for_each_block_of(const BackwardCall& call, const KeyTile& tile, const Body& body) {
  const std::int64_t blocks = call.blocks_of(tile.sequence);
  const std::int64_t group = call.shape.group();
  for (std::int64_t g = 0; g < group; ++g) {
    const HeadPlace place = {tile.sequence, tile.kv_head * group + g};
    for (std::int64_t i = 0; i < blocks; ++i) {
      const QueryBlock block = query_block(call, place, tile.first_block + g * blocks, i);
      if (block.may_see(tile.index)) body(block);
    }
  }
}

/// Returns when a tile may add to a block's grad_query: all tiles before it have.
inline void wait_for_turn(const KeyTile& tile, const QueryBlock& block) {
  for (int spins = 0; block.turn->load(std::memory_order_acquire) != tile.index; ++spins) {
    if (spins > 1000) std::this_thread::yield();
  }
}
inline void pass_turn(const KeyTile& tile, const QueryBlock& block) {
  block.turn->store(tile.index + 1, std::memory_order_release);
}
/// Whether no tile adds to the block's grad_query after this one.
inline bool is_last(const KeyTile& tile, const QueryBlock& block) {
  return tile.index + 1 == block.last_tile;
}

/// What bias is the gradient of, summed over the axes that it broadcasts. Scores and gradients of
/// weights are computed once more for it: two products on top of the backward's five.
/// Comes last: the call's blocks become those of the vector kernels.
/// REQUIRES: call.delta is there; one scratch for each thread.
void store_bias_gradient(BackwardCall& call, bool alone,
                         const std::vector<BackwardScratch>& scratch_of_thread);

}  // namespace limelight::simd
