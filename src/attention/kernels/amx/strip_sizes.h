#pragma once

#include <cstdint>

#include "attention/kernels/simd/tile_sizes.h"
#include "base/tiles/tile.h"

namespace limelight::amx {

// A block of queries meets its keys in strips. Scores stand transposed, a row for each key and a
// lane for each query, so that whatever is done to a query's scores, from their maximum to the
// rescaling of its context, is done to 16 queries by one instruction. With head_dim and value_dim
// 128 a block works in
//
//   queries in bf16 (32 x 128)                                 8 KiB
//   two strips of scores in f32 (64 x 32: coming, here)       16 KiB
//   two strips of weights in bf16 (64 x 32: here, gone)        8 KiB
//   the context, in f32 (128 x 32)                            16 KiB
//
// 48 KiB, what the level-1 cache has on processors with AMX; at 64 it is 36 KiB. Keys and values
// pass by it from level 2: 1 KiB a tile, which serves two tiles of queries, so 1 KiB for 32 cycles
// of products, half of what level 2 gives.

/// Queries of a block: two tiles, so that each tile of keys or values that is loaded is used twice.
inline constexpr std::int64_t kQueryTiles = 2;
inline constexpr std::int64_t kQueryRows = kQueryTiles * tiles::kColumns;

/// Keys of a strip: two tiles of depth for the second product, so that 8 products are paid for one
/// load and store of 4 tiles of the context. Strips begin at multiples of it, counted from a
/// sequence's first key, so that a row meets the same strips whatever block it is in.
inline constexpr std::int64_t kStripKeys = 2 * tiles::kDepth;

inline constexpr std::int64_t kStripScores = kStripKeys * kQueryRows;

/// Tiles of a strip: of keys, which are rows of the first product, and of depth of the second.
inline constexpr std::int64_t kStripRowTiles = kStripKeys / tiles::kRows;
inline constexpr std::int64_t kStripDepthTiles = kStripKeys / tiles::kDepth;

/// Keys of a strip that are weighed, for a tile of queries, between two rows of the tile unit's
/// products: some 100 instructions of vectors of 16, beside 2 products.
inline constexpr std::int64_t kPieceKeys = 8;

/// Keys that the blocks of a task meet one after the other before any of them goes on: 256 KiB of
/// keys and values at 128, an eighth of the level-2 cache.
inline constexpr std::int64_t kChunkKeys = 8 * kStripKeys;

/// Queries of a task: 16 blocks, so that what comes from memory or the level-3 cache, 512 KiB for
/// 1024 keys and some 8 bytes a cycle, comes within a fifteenth of the time of their products.
/// Their queries and contexts are 384 KiB at 128.
inline constexpr std::int64_t kTaskRows = 16 * kQueryRows;

static_assert(kStripKeys % (4 * simd::kLaneMultiple) == 0, "look_up_dropout");
static_assert(kQueryRows % simd::kLaneMultiple == 0, "whole vectors");

/// Where the score of a strip's key with a block's query stands: [kQueryTiles, kStripKeys,
/// tiles::kColumns].
constexpr std::int64_t score_index(std::int64_t key, std::int64_t query) {
  return (query / tiles::kColumns * kStripKeys + key) * tiles::kColumns + query % tiles::kColumns;
}

/// Where its weight stands: packed tiles [kQueryTiles, kStripDepthTiles], the right operand of the
/// second product.
constexpr std::int64_t weight_index(std::int64_t key, std::int64_t query) {
  return (query / tiles::kColumns * kStripDepthTiles + key / tiles::kDepth) * tiles::kTileElements +
         tiles::packed_index(key % tiles::kDepth, query % tiles::kColumns);
}

}  // namespace limelight::amx
