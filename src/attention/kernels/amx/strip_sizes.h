#pragma once

#include <cstdint>

#include "attention/kernels/simd/tile_sizes.h"
#include "base/tiles/tile.h"

namespace limelight::amx {

// A block of queries meets its keys in strips. With head_dim and value_dim 128 its own memory is
//
//   queries in bf16 (32 x 128)                                              8 KiB
//   three strips of scores or weights (32 x 64 f32 each: coming, here, gone)  24 KiB
//   the context, in f32 (32 x 128)                                         16 KiB
//
// 48 KiB, what the level-1 cache has on processors with AMX; at 64 it is 36 KiB. Keys and values
// stream through it from level 2: 1 KiB a tile, which serves two tiles of queries, so 1 KiB for 32
// cycles of products, half of what level 2 gives.

/// Queries of a block: two tiles, so that each tile of keys or values that is loaded is used twice.
inline constexpr std::int64_t kQueryRows = 2 * tiles::kRows;

/// Keys of a strip: two tiles of depth for the second product, so that 8 products are paid for one
/// load and store of 4 tiles of the context. Strips begin at multiples of it, counted from a
/// sequence's first key, so that a row meets the same strips whatever block it is in.
inline constexpr std::int64_t kStripKeys = 2 * tiles::kDepth;

/// Tiles of a strip: of keys, which are columns of the first product, and of depth of the second.
inline constexpr std::int64_t kStripColumnTiles = kStripKeys / tiles::kColumns;
inline constexpr std::int64_t kStripDepthTiles = kStripKeys / tiles::kDepth;

static_assert(kStripKeys % (4 * simd::kLaneMultiple) == 0, "look_up_dropout");
static_assert(tiles::kColumns % simd::kLaneMultiple == 0, "whole vectors");

// Within 32 keys, key i stands beside key i + 16 in a pair: two vectors of weights are rounded and
// woven with a shift and a blend, where neighbours would have to be shuffled.

/// Where the weight of a strip's key stands in a row of bf16.
constexpr std::int64_t weight_index(std::int64_t key) {
  const std::int64_t in_tile = key % tiles::kDepth;
  return key - in_tile + 2 * (in_tile % tiles::kColumns) + in_tile / tiles::kColumns;
}

}  // namespace limelight::amx
