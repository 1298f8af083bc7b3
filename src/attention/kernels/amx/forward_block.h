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
        value_tiles(ceil_div(shape.value_dim, tiles::kColumns)) {
    head_width = depth_tiles * tiles::kDepth;
    value_width = value_tiles * tiles::kColumns;
  }

  const tiles::TileUnit& unit;
  std::int64_t depth_tiles;  ///< that head_dim takes
  std::int64_t value_tiles;  ///< columns of tiles that value_dim takes
};

/// Keys and values of one head of one sequence, strip after strip (pack.inl.h).
struct PackedHead {
  bfloat16* keys;       ///< strips of [kStripColumnTiles, depth_tiles] tiles
  bfloat16* values;     ///< strips of [value_tiles, kStripDepthTiles] tiles
  bool* finite_values;  ///< [strips]: none of a strip's values is NaN or infinite
};

/// Some queries of one head, at most kQueryRows.
struct ForwardBlock {
  simd::HeadPlace place;
  PackedHead packed;
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  float sink;  ///< -infinity: none

  int row_tiles() const { return rows > tiles::kRows ? 2 : 1; }
};

/// The scores of a block and some keys, on their way to being weights.
struct Strip {
  KeyRange keys;
  float* rows;       ///< [kQueryRows, kStripKeys]: scores; weighed, bf16 in the first half of a row
  float* additions;  ///< [kQueryRows, kStripKeys], to the scores
  float* rescales;   ///< [kQueryRows]: what the context so far is to be multiplied by

  std::int64_t index() const { return keys.begin / kStripKeys; }
  bfloat16* weights() const { return reinterpret_cast<bfloat16*>(rows); }
  static constexpr std::int64_t kWeightStride = 2 * kStripKeys;
};

/// A thread's own memory.
struct ForwardScratch {
  static constexpr int kStrips =
      3;  ///< whose scores come, which is weighed, whose context is added

  bfloat16* packing;  ///< for rows of keys or values on their way to tiles
  bfloat16* query;    ///< [kQueryRows, head_width]
  float* context;     ///< [kQueryRows, value_width]
  float* factors;     ///< [kStripKeys], of dropout
  Strip strips[kStrips];

  ForwardScratch(const TileCall& call, Scratch& scratch)
      : packing(take_bf16(scratch, packing_numbers(call))),
        query(take_bf16(scratch, kQueryRows * call.head_width)),
        context(scratch.take(kQueryRows * call.value_width)),
        factors(scratch.take(kStripKeys)) {
    for (Strip& strip : strips) {
      strip = {.keys = {},
               .rows = scratch.take(kQueryRows * kStripKeys),
               .additions = scratch.take(kQueryRows * kStripKeys),
               .rescales = scratch.take(kQueryRows)};
    }
  }
  static std::int64_t floats(const TileCall& call) {
    return packing_numbers(call) / 2 + kQueryRows * (call.head_width / 2 + call.value_width) +
           kStripKeys + kStrips * kQueryRows * (2 * kStripKeys + 1);
  }

  /// REQUIRES: a multiple of 32 numbers, so that what follows begins on a cache line too.
  static bfloat16* take_bf16(Scratch& scratch, std::int64_t numbers) {
    return reinterpret_cast<bfloat16*>(scratch.take(numbers / 2));
  }

 private:
  /// A column of tiles of keys, or two rows of values.
  static std::int64_t packing_numbers(const TileCall& call) {
    return tiles::kColumns * call.head_width + 2 * call.value_width;
  }
};

}  // namespace limelight::amx
