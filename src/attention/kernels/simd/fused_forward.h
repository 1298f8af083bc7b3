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

/// Packed keys and values of a head that stay in half of a level-2 cache.
inline constexpr std::int64_t kMostFloatsOfCache = 128 * 1024;

/// The order of work of a fused forward, whatever its kernels multiply with. All keys and values
/// are packed, each head's once, and then tasks of queries attend to them. Where there are heads
/// enough for all threads and each is short, as in a batch of sentences, a thread takes one after
/// the other, packs it to memory of its own and attends to it: what is packed need not go to memory
/// and come back.
///
///   pack(keys, values, sequence, kv_head, tile, packed_head, scratch)
///   attend(values, task, scratch)
///
/// `Forward` names its types: Call, Scratch (a thread's own memory) and Block; its extents:
/// kTileKeys, kQueryRows and, for the blocks that a task holds, kTaskRows; and what a packed head
/// is: tile_floats(call), and packed_head(call, memory, tiles).
template <class Forward, class Pack, class Attend>
class FusedForward {
 public:
  FusedForward(const typename Forward::Call& call, const ForwardArguments& arguments,
               const AttentionOptions& options, const Pack& pack, const Attend& attend)
      : call_(call),
        options_(options),
        keys_{options.past_key, arguments.key, call.shape.past_len},
        values_{options.past_value, arguments.value, call.shape.past_len},
        order_(call, Forward::kTileKeys),
        threads_(call.alone ? 1 : most_threads()),
        pack_(pack),
        attend_(attend) {}

  void run() const {
    const std::int64_t tile_floats = Forward::tile_floats(call_);
    const std::int64_t floats_of_longest = most_tiles() * tile_floats;
    const bool head_by_head =
        heads() >= 8 * std::int64_t{threads_} && floats_of_longest <= kMostFloatsOfCache;
    const std::int64_t packed_floats =
        head_by_head ? threads_ * floats_of_longest : order_.tiles() * tile_floats;
    Scratch memory(packed_floats + threads_ * Forward::Scratch::floats(call_));
    float* packed = memory.take(packed_floats);
    std::vector<typename Forward::Scratch> scratch_of_thread;
    scratch_of_thread.reserve(static_cast<std::size_t>(threads_));
    for (int t = 0; t < threads_; ++t) scratch_of_thread.emplace_back(call_, memory);
    if (head_by_head) {
      attend_head_by_head(packed, floats_of_longest, scratch_of_thread);
    } else {
      pack_all(packed, scratch_of_thread);
      attend_to_all(packed, scratch_of_thread);
    }
  }

 private:
  using Scratches = std::vector<typename Forward::Scratch>;

  static std::int64_t tiles_of(const Sequence& sequence) {
    return ceil_div(sequence.kv_len, Forward::kTileKeys);
  }
  std::int64_t most_tiles() const {
    std::int64_t most = 0;
    for (const Sequence& sequence : call_.visibility.sequences()) {
      most = std::max(most, tiles_of(sequence));
    }
    return most;
  }
  std::int64_t heads() const {
    return std::ssize(call_.visibility.sequences()) * call_.shape.num_kv_heads;
  }

  auto packed_head(const Sequence& sequence, float* memory) const {
    return Forward::packed_head(call_, memory, tiles_of(sequence));
  }
  /// Of all.
  auto packed_head(const Sequence& sequence, std::int64_t kv_head, float* packed) const {
    return packed_head(sequence,
                       packed + order_.first_tile(sequence, kv_head) * Forward::tile_floats(call_));
  }

  void attend_head_by_head(float* packed, std::int64_t floats_of_thread,
                           Scratches& scratch_of_thread) const {
    const std::int64_t all_queries = std::max(call_.shape.q_len, std::int64_t{1});
    for_each_part(call_, call_.shape.num_kv_heads, all_queries, &Sequence::q_len,
                  [&](const Sequence& sequence, std::int64_t kv_head, std::int64_t, int thread) {
                    auto& scratch = scratch_of_thread[static_cast<std::size_t>(thread)];
                    const auto head = packed_head(sequence, packed + thread * floats_of_thread);
                    for (std::int64_t tile = 0; tile < tiles_of(sequence); ++tile) {
                      pack_(keys_, values_, sequence, kv_head, tile, head, scratch);
                    }
                    const std::int64_t group = call_.shape.group();
                    for (std::int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
                      for (std::int64_t i = 0; i < sequence.q_len; i += Forward::kTaskRows) {
                        attend_task(sequence, h, i, Forward::kTaskRows, head, scratch);
                      }
                    }
                  });
  }

  void pack_all(float* packed, Scratches& scratch_of_thread) const {
    for_each_part(
        call_, call_.shape.num_kv_heads, Forward::kTileKeys, &Sequence::kv_len,
        [&](const Sequence& sequence, std::int64_t kv_head, std::int64_t tile, int thread) {
          pack_(keys_, values_, sequence, kv_head, tile, packed_head(sequence, kv_head, packed),
                scratch_of_thread[static_cast<std::size_t>(thread)]);
        });
  }

  void attend_to_all(float* packed, Scratches& scratch_of_thread) const {
    const std::int64_t rows =
        rows_of_task(call_, threads_, Forward::kQueryRows, Forward::kTaskRows);
    for_each_part(call_, call_.shape.num_heads, rows, &Sequence::q_len,
                  [&](const Sequence& sequence, std::int64_t head, std::int64_t part, int thread) {
                    attend_task(sequence, head, part * rows, rows,
                                packed_head(sequence, head / call_.shape.group(), packed),
                                scratch_of_thread[static_cast<std::size_t>(thread)]);
                  });
  }

  /// Queries [first_query, first_query + rows) of a head, as many of them as there are.
  template <class PackedHead>
  void attend_task(const Sequence& sequence, std::int64_t head, std::int64_t first_query,
                   std::int64_t rows, const PackedHead& packed,
                   typename Forward::Scratch& scratch) const {
    const typename Forward::Block task = {.place = {sequence, head},
                                          .packed = packed,
                                          .first_query = first_query,
                                          .rows = std::min(rows, sequence.q_len - first_query),
                                          .sink = static_cast<float>(sink_of(options_, head))};
    attend_(values_, task, scratch);
  }

  const typename Forward::Call& call_;
  const AttentionOptions& options_;
  KeySource keys_, values_;
  TileOrder order_;
  int threads_;
  const Pack& pack_;
  const Attend& attend_;
};

/// A FusedForward, run.
template <class Forward, class Pack, class Attend>
void pack_and_attend(const typename Forward::Call& call, const ForwardArguments& arguments,
                     const AttentionOptions& options, const Pack& pack, const Attend& attend) {
  FusedForward<Forward, Pack, Attend>(call, arguments, options, pack, attend).run();
}

}  // namespace limelight::simd
