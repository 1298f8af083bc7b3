#pragma once

#include <cstdint>

#include "attention/kernels/amx/score_strip.h"
#include "attention/kernels/simd/tile_sizes.h"

namespace limelight::amx {

/// Queries that meet a tile of keys together: two tiles of rows.
inline constexpr std::int64_t kScoreRows = 2 * tiles::kRows;

static_assert(simd::kTileKeys % tiles::kColumns == 0, "whole tiles of keys");

/// The operands of a block of dot products. `width` is head_dim in whole tiles.
struct ScoreOperands {
  std::int64_t width;
  bfloat16* queries;   ///< [kScoreRows, width]
  bfloat16* keys;      ///< packed tiles [simd::kTileKeys / tiles::kColumns, width / tiles::kDepth]
  bfloat16* key_rows;  ///< [tiles::kColumns, width]: keys on their way there

  ScoreOperands(std::int64_t head_dim, Scratch& scratch)
      : width(width_of(head_dim)),
        queries(take_bf16(scratch, kScoreRows * width)),
        keys(take_bf16(scratch, simd::kTileKeys * width)),
        key_rows(take_bf16(scratch, tiles::kColumns * width)) {}
  static std::int64_t floats(std::int64_t head_dim) {
    return (kScoreRows + simd::kTileKeys + tiles::kColumns) * width_of(head_dim) / 2;
  }

 private:
  static std::int64_t width_of(std::int64_t head_dim) {
    return simd::round_up(head_dim, tiles::kDepth);
  }
};

}  // namespace limelight::amx
