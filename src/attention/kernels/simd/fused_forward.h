#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"

namespace limelight::simd {

/// Queries of a task: as many whole blocks as share a tile of keys well, and fewer where threads
/// would wait for the last task: then each thread has at least eight.
inline std::int64_t rows_of_task(const KernelCall& call, int threads, std::int64_t block_rows,
                                 std::int64_t most_rows) {
  std::int64_t blocks = 0;
  for (const Sequence& sequence : call.visibility.sequences()) {
    blocks += ceil_div(sequence.q_len, block_rows) * call.shape.num_heads;
  }
  const std::int64_t blocks_of_task = blocks / (8 * std::int64_t{threads});
  return std::clamp(blocks_of_task * block_rows, block_rows, most_rows);
}

/// The order of work of a fused forward, whatever its kernels multiply with: all keys and values
/// are packed, each head's once, and then tasks of queries attend to them.
///
///   pack(keys, values, sequence, kv_head, tile, packed_head, scratch)
///   attend(values, task, scratch)
///
/// `Forward` names its types: Call, PackedHeads, Scratch (a thread's own memory) and Block; and its
/// extents: kTileKeys, kQueryRows and, for the blocks that a task holds, kTaskRows.
template <class Forward, class Pack, class Attend>
void pack_and_attend(const typename Forward::Call& call, const ForwardArguments& arguments,
                     const AttentionOptions& options, const Pack& pack, const Attend& attend) {
  const AttentionShape& shape = call.shape;
  const int threads = call.alone ? 1 : most_threads();
  typename Forward::PackedHeads packed(call);
  Scratch memory(packed.floats() + threads * Forward::Scratch::floats(call));
  packed.take(memory);
  std::vector<typename Forward::Scratch> scratch_of_thread;
  scratch_of_thread.reserve(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t) scratch_of_thread.emplace_back(call, memory);
  const auto scratch = [&](int thread) ->
      typename Forward::Scratch& { return scratch_of_thread[static_cast<std::size_t>(thread)]; };

  const KeySource keys = {options.past_key, arguments.key, shape.past_len};
  const KeySource values = {options.past_value, arguments.value, shape.past_len};
  for_each_part(call, shape.num_kv_heads, Forward::kTileKeys, &Sequence::kv_len,
                [&](const Sequence& sequence, std::int64_t kv_head, std::int64_t tile, int thread) {
                  pack(keys, values, sequence, kv_head, tile, packed.of(sequence, kv_head),
                       scratch(thread));
                });
  const std::int64_t task_rows =
      rows_of_task(call, threads, Forward::kQueryRows, Forward::kTaskRows);
  for_each_part(call, shape.num_heads, task_rows, &Sequence::q_len,
                [&](const Sequence& sequence, std::int64_t head, std::int64_t part, int thread) {
                  const std::int64_t first_query = part * task_rows;
                  const typename Forward::Block task = {
                      .place = {sequence, head},
                      .packed = packed.of(sequence, head / shape.group()),
                      .first_query = first_query,
                      .rows = std::min(task_rows, sequence.q_len - first_query),
                      .sink = static_cast<float>(sink_of(options, head))};
                  attend(values, task, scratch(thread));
                });
}

}  // namespace limelight::simd
