#pragma once

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

/// REQUIRES: a multiple of 32 numbers, so that what follows begins on a cache line too.
inline bfloat16* take_bf16(Scratch& scratch, std::int64_t numbers) {
  return reinterpret_cast<bfloat16*>(scratch.take(numbers / 2));
}

/// At most kQueryRows queries of a head, which meet a strip of keys together.
struct TileBlock {
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  KeyRange first_range, last_range;  ///< what its first and last query's masks leave to them
  bfloat16* query;                   ///< packed tiles [kQueryTiles, depth_tiles]

  /// One where the other tile of queries would be empty.
  int query_tiles() const { return rows > tiles::kColumns ? 2 : 1; }
  /// Whether every query's range holds all of `keys`.
  bool sees_all_of(KeyRange keys) const {
    return last_range.begin <= keys.begin && first_range.end >= keys.end;
  }
};

inline TileBlock tile_block(const TileCall& call, const simd::HeadPlace& place, std::int64_t first,
                            std::int64_t rows, bfloat16* query) {
  const auto range_of = [&](std::int64_t i) { return call.visibility.range(place.sequence, i); };
  return {first, rows, range_of(first), range_of(first + rows - 1), query};
}

/// Scores of a block with a strip of keys, and what is looked up for them. All as score_index says.
template <class Block>
struct ScoreStrip {
  Block* block = nullptr;
  KeyRange keys;     ///< that there are of the strip's
  float* scores;     ///< [kQueryTiles, kStripKeys, tiles::kColumns]
  float* additions;  ///< to the scores; null where there are none
  float* factors;    ///< of dropout, or null

  std::int64_t index() const { return keys.begin / kStripKeys; }
  bool is_whole() const { return keys.end - keys.begin == kStripKeys; }

  void take(const TileCall& call, Scratch& scratch) {
    scores = scratch.take(kStripScores);
    additions = call.has_additions ? scratch.take(kStripScores) : nullptr;
    factors = call.visibility.dropout() ? scratch.take(kStripScores) : nullptr;
  }
  static std::int64_t floats(const TileCall& call) {
    return kStripScores * (1 + call.has_additions + (call.visibility.dropout() != nullptr));
  }
};

}  // namespace limelight::amx
