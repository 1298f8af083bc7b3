#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "attention/check_arguments.h"
#include "attention/for_each_task.h"
#include "attention/kernels/simd/tile_sizes.h"
#include "attention/stop_check.h"
#include "attention/visibility.h"

namespace limelight::simd {

/// What every block of a call shares, and the padded widths of packed rows.
struct KernelCall {
  KernelCall(const AttentionShape& call_shape, const AttentionOptions& options,
             const Visibility& call_visibility)
      : shape(call_shape),
        visibility(call_visibility),
        softmax_scale(static_cast<float>(
            options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(shape.head_dim))))),
        softcap(static_cast<float>(options.softcap.value_or(0))),
        head_width(padded(shape.head_dim)),
        value_width(padded(shape.value_dim)),
        has_additions(visibility.looks_up_keys() || visibility.adds_to_scores()),
        alone(shape.multiply_adds() < kLeastWorkToShare),
        stop(options.should_stop) {}

  const AttentionShape& shape;
  const Visibility& visibility;
  float softmax_scale;
  float softcap;             ///< 0: none
  std::int64_t head_width;   ///< head_dim, padded
  std::int64_t value_width;  ///< value_dim, padded
  bool has_additions;        ///< scores have something added to them or keys hidden one by one
  bool alone;                ///< not worth waking other threads for
  StopCheck stop;            ///< looked at between pieces of work
};

/// One query head of one sequence.
struct HeadPlace {
  const Sequence& sequence;
  std::int64_t head;
};

/// Where row `i` of a head begins, in elements of `view` [batch, heads, length, dim].
template <class View>
std::int64_t row_offset(const View& view, std::int64_t batch, std::int64_t head, std::int64_t i) {
  return batch * view.stride(0) + head * view.stride(1) + i * view.stride(2);
}

/// The two tensors of past and new keys (or values, or a gradient of either) as one.
template <class View>
struct PastAndNew {
  View past, current;
  std::int64_t past_len;

  /// The tensor that holds key j of a sequence, and where in it the key's row begins.
  std::pair<const View&, std::int64_t> find(const Sequence& sequence, std::int64_t kv_head,
                                            std::int64_t j) const {
    if (j < past_len) return {past, row_offset(past, sequence.batch, kv_head, j)};
    return {current,
            row_offset(current, sequence.batch, kv_head, sequence.first_key + j - past_len)};
  }
};
using KeySource = PastAndNew<ConstTensorView>;
using KeyTarget = PastAndNew<TensorView>;

/// Rows [first, last) of a block of queries, and columns [begin, end) of a tile of keys, beyond
/// which none of them sees any of the tile. Columns begin and end at whole vectors.
struct TilePart {
  std::int64_t first_row, last_row;
  std::int64_t begin, end;

  bool empty() const { return first_row >= last_row || begin >= end; }
  std::int64_t rows() const { return last_row - first_row; }
  std::int64_t columns() const { return end - begin; }
};

/// A row's range within a tile, as columns.
inline KeyRange columns_seen(const KernelCall& call, const Sequence& sequence, std::int64_t query,
                             KeyRange tile) {
  const KeyRange range = call.visibility.range(sequence, query);
  const std::int64_t begin = std::max(range.begin, tile.begin);
  const std::int64_t end = std::min(range.end, tile.end);
  return {begin - tile.begin, std::max(begin, end) - tile.begin};
}

/// REQUIRES: tile begins at a multiple of kTileKeys.
inline TilePart part_seen(const KernelCall& call, const Sequence& sequence,
                          std::int64_t first_query, std::int64_t rows, KeyRange tile) {
  TilePart part = {0, rows, 0, 0};
  // Ranges move forward from row to row: those that see nothing here stand at the two ends.
  const auto sees = [&](std::int64_t r) {
    return !columns_seen(call, sequence, first_query + r, tile).empty();
  };
  while (part.first_row < rows && !sees(part.first_row)) ++part.first_row;
  while (part.last_row > part.first_row && !sees(part.last_row - 1)) --part.last_row;
  if (part.first_row == part.last_row) return part;
  const auto columns_of = [&](std::int64_t r) {
    return columns_seen(call, sequence, first_query + r, tile);
  };
  part.begin = columns_of(part.first_row).begin / kLaneMultiple * kLaneMultiple;
  part.end = padded(columns_of(part.last_row - 1).end);
  return part;
}

/// A piece of work: part `part` of head `head` of a sequence.
struct Task {
  std::int64_t sequence, head, part;
};

/// Every part of every head, where a head of a sequence has parts(sequence) of them, in this order.
template <class Parts>
std::vector<Task> list_tasks(const std::vector<Sequence>& sequences, std::int64_t heads,
                             const Parts& parts) {
  std::vector<Task> tasks;
  for (const Sequence& sequence : sequences) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t count = parts(sequence);
      for (std::int64_t part = 0; part < count; ++part) {
        tasks.push_back({sequence.index, head, part});
      }
    }
  }
  return tasks;
}

/// body(sequence, head, part, thread) for every `rows` rows of every head, `length` being a
/// sequence's count of them. Shared among threads; the last parts of a head begin first, since
/// under a causal mask they cost most, and small ones at the end let threads finish together.
template <class Body>
void for_each_part(const KernelCall& call, std::int64_t heads, std::int64_t rows,
                   std::int64_t Sequence::*length, const Body& body) {
  const std::vector<Sequence>& sequences = call.visibility.sequences();
  const std::vector<Task> tasks =
      list_tasks(sequences, heads, [&](const Sequence& s) { return ceil_div(s.*length, rows); });
  const auto stopped = [&] { return call.stop.stopped(); };
  parallel_for_in_order(std::ssize(tasks), call.alone, stopped,
                        [&](std::int64_t index, int thread) {
                          const auto& [sequence, head, part] =
                              tasks[tasks.size() - 1 - static_cast<std::size_t>(index)];
                          body(sequences[static_cast<std::size_t>(sequence)], head, part, thread);
                        });
}

/// Tiles of keys of all key heads of all sequences, one after the other: where each head's begin.
class TileOrder {
 public:
  TileOrder(const KernelCall& call, std::int64_t tile_keys) : tile_keys_(tile_keys) {
    for (const Sequence& sequence : call.visibility.sequences()) {
      first_tiles_.push_back(tiles_);
      tiles_ += ceil_div(sequence.kv_len, tile_keys) * call.shape.num_kv_heads;
    }
  }

  std::int64_t tiles() const { return tiles_; }
  std::int64_t first_tile(const Sequence& sequence, std::int64_t kv_head) const {
    return first_tiles_[static_cast<std::size_t>(sequence.index)] +
           kv_head * ceil_div(sequence.kv_len, tile_keys_);
  }

 private:
  std::int64_t tile_keys_;
  std::vector<std::int64_t> first_tiles_;
  std::int64_t tiles_ = 0;
};

}  // namespace limelight::simd
