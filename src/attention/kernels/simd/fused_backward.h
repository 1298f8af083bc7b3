#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "attention/for_each_task.h"
#include "attention/kernels/simd/backward_call.h"
#include "attention/scratch.h"
#include "base/parallel.h"

namespace limelight::simd {

/// Whether a backward is not worth waking other threads for.
inline bool is_alone(const BackwardCall& call) {
  return 2.5 * call.shape.multiply_adds() < kLeastWorkToShare;
}

/// The number of a sequence's first block of queries among those of all heads of all sequences, and
/// at the end how many there are.
std::vector<std::int64_t> first_blocks(const BackwardCall& call);

// What belongs to no tile.

/// Gradients of keys beyond key_lengths become 0.
void clear_keys_beyond(const BackwardCall& call);
/// The gradient of queries that no tile adds to becomes 0.
void store_zero_queries(const BackwardCall& call, const QueryBlock& block);
/// A sink is one more score, whose weight meets no value: its gradient is -weight * delta, summed
/// over batch and queries in their order.
void store_sink_gradients(const BackwardCall& call, const AttentionOptions& options);

/// The order of work of a fused backward, whatever its kernels multiply with. What a row of queries
/// needs is prepared; then every tile of keys meets all queries that see it, so that its gradients
/// are summed in one place; tiles add to grad_query one after the other, each at its turn. So all
/// five products are taken once, and work is shared by tiles of keys as well as by heads.
///
/// `Kernels` has the memory that they need, and the two steps:
///
///   floats(blocks, threads)   take(memory, blocks, threads)
///   prepare(block, thread)    differentiate(tile, thread)     store_bias_gradient()
template <class Kernels>
void differentiate_in_order(BackwardCall& call, const AttentionOptions& options, Kernels& kernels) {
  const std::vector<Sequence>& sequences = call.visibility.sequences();
  const bool alone = is_alone(call);
  const int threads = alone ? 1 : most_threads();
  const std::vector<std::int64_t> first_block = first_blocks(call);
  const std::int64_t block_count = first_block.back();

  Scratch memory(padded(call.rows()) + kernels.floats(block_count, threads));
  call.delta = memory.take(padded(call.rows()));
  kernels.take(memory, block_count, threads);
  const auto turns =
      std::make_unique<std::atomic<std::int64_t>[]>(static_cast<std::size_t>(block_count));
  call.turns = turns.get();
  const auto first_block_of = [&](std::int64_t s, std::int64_t head) {
    return first_block[static_cast<std::size_t>(s)] +
           head * call.blocks_of(sequences[static_cast<std::size_t>(s)]);
  };
  const auto stopped = [&] { return call.stop.stopped(); };

  const std::vector<Task> blocks =
      list_tasks(sequences, call.shape.num_heads,
                 [&](const Sequence& sequence) { return call.blocks_of(sequence); });
  parallel_for_in_order(std::ssize(blocks), alone, stopped, [&](std::int64_t index, int thread) {
    const auto& [s, head, part] = blocks[static_cast<std::size_t>(index)];
    const HeadPlace place = {sequences[static_cast<std::size_t>(s)], head};
    const QueryBlock block = query_block(call, place, first_block_of(s, head), part);
    block.turn->store(block.first_tile, std::memory_order_relaxed);
    kernels.prepare(block, thread);
    if (block.first_tile == block.last_tile) store_zero_queries(call, block);
  });

  const std::vector<Task> tiles =
      list_tasks(sequences, call.shape.num_kv_heads,
                 [](const Sequence& s) { return ceil_div(s.kv_len, kTileKeys); });
  parallel_for_in_order(std::ssize(tiles), alone, stopped, [&](std::int64_t index, int thread) {
    const auto& [s, kv_head, part] = tiles[static_cast<std::size_t>(index)];
    const KeyTile tile = {sequences[static_cast<std::size_t>(s)], kv_head, part,
                          first_block_of(s, kv_head * call.shape.group())};
    kernels.differentiate(tile, thread);
  });
  if (stopped()) return;

  if (options.cu_seqlens_key.empty()) clear_keys_beyond(call);
  if (!call.arguments.gradients.sinks.empty()) store_sink_gradients(call, options);
  if (!call.arguments.gradients.bias.empty()) kernels.store_bias_gradient();
}

}  // namespace limelight::simd
