#pragma once

#include <cstdint>

#include "attention/kernels/amx/strip_sizes.h"

namespace limelight::amx {

// The backward takes five products of a strip of keys with a block of queries, each 2 x 2 tiles of
// sums at a time:
//
//   scores^T        = keys query^T               depth head_dim
//   grad_weights^T  = values grad_out^T          depth value_dim
//   grad_value     += weights^T grad_out         depth queries
//   grad_key       += grad_scores^T query        depth queries
//   grad_query^T   += keys^T grad_scores^T       depth keys
//
// All once: a tile of keys keeps the sums of its own gradients, and adds to those of the queries in
// turn. The other way, keys and queries each in a pass of their own, would be seven products, and
// every exponential twice.
//
// The last three load and store their sums, 24 cycles a tile, so their depth must be two tiles for
// the products (32 cycles) to cover that: 64 keys and 64 queries. Scores are weighed 64 keys x 32
// queries at a time, as in the forward, with a lane for each query, so that what belongs to a query
// (lse, delta) stays in a register; and the gradients of weights and scores come out as the left
// operands of the products that sum over queries. At head_dim and value_dim 64 a strip and a block
// are 160 products of tiles, 2560 cycles, beside 256 vectors of 16 weights, some 20 instructions
// each for two units: as long again, and at the same time. Work is done in
//
//   two strips of scores and gradients of weights in f32 (64 x 32: coming, here)   32 KiB
//   twice weights, and gradients of scores in two layouts, bf16 (64 x 64)          48 KiB
//
// which is more than the level-1 cache has; the rest passes by it from level 2.

/// Queries of a block: two of the forward's, the depth of the products that sum over queries.
inline constexpr std::int64_t kBlockParts = 2;
inline constexpr std::int64_t kBlockRows = kBlockParts * kQueryRows;

/// Strips of a tile of keys. Each tile reads all packed queries and reads and writes their sums: at
/// 128, 256 KiB for 64 queries of 5.2 million multiply-adds: 2 bytes a cycle.
inline constexpr std::int64_t kTileStrips = simd::kTileKeys / kStripKeys;

static_assert(kQueryRows == tiles::kDepth, "a part of a block is one depth of tiles");
static_assert(simd::kTileKeys % kStripKeys == 0, "whole strips");

/// bf16 of a strip and a block.
inline constexpr std::int64_t kBlockScores = kStripKeys * kBlockRows;

/// Queries of a part stand in pairs in products over queries, one of each tile: so a row of them is
/// two vectors of weights, woven. The order in which `query` comes in such a row, or depth:
constexpr std::int64_t place_of_query(std::int64_t query) {
  return query % tiles::kColumns * kQueryTiles + query / tiles::kColumns;
}

/// Where the weight of a strip's key with a query of part `part` stands in the left operand of a
/// product over queries: tiles [kStripRowTiles, kBlockParts], a row being a key.
constexpr std::int64_t row_index(std::int64_t part, std::int64_t key, std::int64_t query) {
  return (key / tiles::kRows * kBlockParts + part) * tiles::kTileElements +
         key % tiles::kRows * tiles::kDepth + place_of_query(query);
}

}  // namespace limelight::amx
