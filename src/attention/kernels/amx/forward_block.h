#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "attention/kernels/amx/strip_sizes.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "base/tiles/tile_unit.h"

namespace limelight::amx {

/// What every block of a call shares. Widths are whole tiles.
struct TileCall : simd::KernelCall {
  TileCall(const AttentionShape& call_shape, const AttentionOptions& options,
           const Visibility& call_visibility, const tiles::TileUnit& tile_unit)
      : KernelCall(call_shape, options, call_visibility),
        unit(tile_unit),
        depth_tiles(ceil_div(shape.head_dim, tiles::kDepth)),
        value_tiles(ceil_div(shape.value_dim, tiles::kRows)),
        weighs_products(!has_additions && softcap == 0 && softmax_scale > 0) {
    head_width = depth_tiles * tiles::kDepth;
    value_width = value_tiles * tiles::kRows;
  }

  const tiles::TileUnit& unit;
  std::int64_t depth_tiles;  ///< that head_dim takes
  std::int64_t value_tiles;  ///< rows of tiles that value_dim takes
  /// Nothing happens to dot products but the scale: it is left to the exponential.
  bool weighs_products;

  /// What numbers are multiplied by to be scores, when they are weighed.
  float score_unit() const { return weighs_products ? softmax_scale : 1; }
};

/// Keys and values of one head of one sequence, strip after strip (pack.inl.h).
struct PackedHead {
  bfloat16* keys;       ///< strips of [kStripRowTiles, depth_tiles] tiles, a row being a key
  bfloat16* values;     ///< strips of [value_tiles, kStripDepthTiles] tiles, a column being a key
  bool* finite_values;  ///< [strips]: none of a strip's values is NaN or infinite
};

/// Queries that meet their keys together: of one head, at most kTaskRows.
struct ForwardTask {
  simd::HeadPlace place;
  PackedHead packed;
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  float sink;  ///< -infinity: none
};

/// What is kept of a block's queries while they meet their keys: lane after lane.
struct BlockState {
  std::array<float, kQueryRows> shifts;  ///< what is subtracted from scores, in score units
  std::array<float, kQueryRows> sums;    ///< of weights
};

/// At most kQueryRows queries of a task.
struct ForwardBlock {
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  KeyRange first_range, last_range;  ///< what its first and last query's masks leave to them
  bfloat16* query;                   ///< packed tiles [kQueryTiles, depth_tiles]
  float* context;                    ///< [kQueryTiles, value_width, tiles::kColumns]
  bool begun;                        ///< the context has been added to
  BlockState state;

  /// One where the other tile of queries would be empty.
  int query_tiles() const { return rows > tiles::kColumns ? 2 : 1; }
  /// Whether every query's range holds all of `keys`.
  bool sees_all_of(KeyRange keys) const {
    return last_range.begin <= keys.begin && first_range.end >= keys.end;
  }
};

/// A block and a strip of keys, on the way from scores to weights. The memory serves every other.
struct Strip {
  ForwardBlock* block = nullptr;
  KeyRange keys;      ///< that there are of the strip's
  float* scores;      ///< [kQueryTiles, kStripKeys, tiles::kColumns], see score_index
  bfloat16* weights;  ///< see weight_index
  float* additions;   ///< to the scores, as they stand; where there are any
  float* factors;     ///< of dropout, as the scores stand

  std::int64_t index() const { return keys.begin / kStripKeys; }
  bool is_whole() const { return keys.end - keys.begin == kStripKeys; }
};

/// A thread's own memory.
struct ForwardScratch {
  bfloat16* packing;  ///< for rows of keys, values or queries on their way to tiles
  float* rows;        ///< [kQueryRows, kStripKeys] of what is looked up, or of context
  bfloat16* query;    ///< of the blocks of a task
  float* context;     ///< likewise
  std::array<ForwardBlock, kTaskRows / kQueryRows> blocks;
  std::array<Strip, 2> strips;

  ForwardScratch(const TileCall& call, Scratch& scratch)
      : packing(take_bf16(scratch, packing_numbers(call))),
        rows(scratch.take(row_floats(call))),
        query(take_bf16(scratch, kTaskRows * call.head_width)),
        context(scratch.take(kTaskRows * call.value_width)) {
    for (Strip& strip : strips) {
      strip = {.block = nullptr,
               .keys = {},
               .scores = scratch.take(kStripScores),
               .weights = take_bf16(scratch, kStripScores),
               .additions = call.has_additions ? scratch.take(kStripScores) : nullptr,
               .factors = call.visibility.dropout() ? scratch.take(kStripScores) : nullptr};
    }
  }
  static std::int64_t floats(const TileCall& call) {
    const std::int64_t looked_up = call.has_additions + (call.visibility.dropout() != nullptr);
    return packing_numbers(call) / 2 + row_floats(call) +
           kTaskRows * (call.head_width / 2 + call.value_width) +
           2 * kStripScores * (1 + looked_up) + kStripScores;
  }

  /// REQUIRES: a multiple of 32 numbers, so that what follows begins on a cache line too.
  static bfloat16* take_bf16(Scratch& scratch, std::int64_t numbers) {
    return reinterpret_cast<bfloat16*>(scratch.take(numbers / 2));
  }

 private:
  static constexpr std::int64_t kStripScores = kStripKeys * kQueryRows;

  /// A tile of queries, a row of keys, or two rows of values and a depth of theirs, woven.
  static std::int64_t packing_numbers(const TileCall& call) {
    return tiles::kColumns * call.head_width + (2 + tiles::kDepth) * call.value_width;
  }
  static std::int64_t row_floats(const TileCall& call) {
    return std::max(kQueryRows * kStripKeys, tiles::kColumns * call.value_width);
  }
};

}  // namespace limelight::amx
