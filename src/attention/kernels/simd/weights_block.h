#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "attention/element.h"
#include "attention/for_each_task.h"
#include "attention/kernels/amx/score_rows.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "attention/weights/weights_call.h"
#include "base/instruction_set.h"
#include "base/parallel.h"

namespace limelight::simd {

/// Queries of a piece of work: ten blocks, for which a tile of keys is packed once.
inline constexpr std::int64_t kPanelQueries = 10 * kQueryRows;

/// Queries of a block at most: what a tile unit takes; vectors take kQueryRows.
inline constexpr std::int64_t kMostBlockQueries = amx::kScoreRows;
static_assert(kMostBlockQueries >= kQueryRows);

/// At most kMost of the places of a selection that lie in one sequence.
template <std::int64_t kMost>
struct Spots {
  std::int64_t count = 0;
  std::int64_t place[kMost];     ///< of the sequence
  std::int64_t position[kMost];  ///< in the selection
};
using QuerySpots = Spots<kMostBlockQueries>;
using KeySpots = Spots<kTileKeys>;

/// The next positions of [next, end), at most `most`, whose places lie in [first, first + length)
/// of the axis. `next` moves behind the last that was looked at.
template <std::int64_t kMost>
Spots<kMost> take_spots(const Places& places, std::int64_t first, std::int64_t length,
                        std::int64_t end, std::int64_t& next, std::int64_t most = kMost) {
  const KeyRange within = places.positions_within(first, length);
  next = std::max(next, within.begin);
  Spots<kMost> spots;
  for (; next < std::min(end, within.end) && spots.count < most; ++next) {
    const std::int64_t place = places.at(next) - first;
    if (place < 0 || place >= length) continue;
    spots.place[spots.count] = place;
    spots.position[spots.count++] = next;
  }
  return spots;
}

/// What every block of a question shares.
struct WeightsKernelCall {
  explicit WeightsKernelCall(const WeightsCall& call)
      : kernel(call.shape, call.run.options, call.visibility),
        query(call.run.query),
        lse(call.run.lse),
        keys{call.run.options.past_key, call.run.key, call.shape.past_len},
        unit(query.dtype() == DType::bf16 ? tile_unit() : nullptr) {}

  std::int64_t block_queries() const { return unit ? kMostBlockQueries : kQueryRows; }

  KernelCall kernel;
  ConstTensorView query;
  ConstTensorView lse;
  KeySource keys;
  /// What query and key are multiplied by, as they are; null: by vectors, in f32.
  const tiles::TileUnit* unit;
};

/// A thread's own memory.
struct WeightsScratch {
  float* query;      ///< [kQueryRows, head_width], times softmax_scale
  float* keys;       ///< [head_dim, kTileKeys]
  float* key_rows;   ///< [kLaneMultiple, head_width]: keys on their way there
  float* weights;    ///< [kMostBlockQueries, kTileKeys]: scores first
  float* additions;  ///< [kTileKeys]
  amx::ScoreOperands on_tiles;

  static std::int64_t floats(const KernelCall& call) {
    return (kQueryRows + kLaneMultiple) * call.head_width +
           (call.shape.head_dim + kMostBlockQueries + 1) * kTileKeys +
           amx::ScoreOperands::floats(call.shape.head_dim);
  }
  WeightsScratch(const KernelCall& call, Scratch& scratch)
      : query(scratch.take(kQueryRows * call.head_width)),
        keys(scratch.take(call.shape.head_dim * kTileKeys)),
        key_rows(scratch.take(kLaneMultiple * call.head_width)),
        weights(scratch.take(kMostBlockQueries * kTileKeys)),
        additions(scratch.take(kTileKeys)),
        on_tiles(call.shape.head_dim, scratch) {}
};

/// Element (batch, head, i) of [batch, heads, length, ...].
template <class View>
std::int64_t row_place(const View& view, const HeadPlace& place, std::int64_t i) {
  return row_offset(view, place.sequence.batch, place.head, i);
}

/// body(index, scratch, own) for every piece of work, each thread with memory of its own: a
/// WeightsScratch and `own` of as many floats as are asked for. `work` in multiply-adds.
template <class Body>
void for_each_piece_of_weights(const WeightsKernelCall& call, std::int64_t pieces, double work,
                               std::int64_t own_floats, const Body& body) {
  const bool alone = pieces < 2 || work < kLeastWorkToShare;
  const int threads = alone ? 1 : most_threads();
  const std::int64_t own_size = padded(own_floats);
  Scratch scratch(threads * (WeightsScratch::floats(call.kernel) + own_size));
  std::vector<WeightsScratch> scratch_of_thread;
  std::vector<float*> own_of_thread;
  scratch_of_thread.reserve(static_cast<std::size_t>(threads));
  own_of_thread.reserve(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t) {
    scratch_of_thread.emplace_back(call.kernel, scratch);
    own_of_thread.push_back(scratch.take(own_size));
  }
  parallel_for_in_order(pieces, alone, [&](std::int64_t index, int thread) {
    const auto t = static_cast<std::size_t>(thread);
    body(index, scratch_of_thread[t], own_of_thread[t]);
  });
}

}  // namespace limelight::simd
