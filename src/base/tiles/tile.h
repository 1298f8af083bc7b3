#pragma once

#include <limelight/dtype.h>

#include <cstdint>

namespace limelight::tiles {

// A tile is a register of AMX: 16 rows of 64 bytes, 1 KiB; there are eight of them. As sums a row
// is 16 f32; as the left operand of a product it is 32 bf16 of a row's depth; as the right operand
// row p holds, for each of 16 columns, the pair of depths 2p and 2p + 1 side by side (the layout
// that Intel calls VNNI), so that a product of tiles is 16 x 16 sums over 32 depths: 8192
// multiply-adds.

inline constexpr std::int64_t kRows = 16;
inline constexpr std::int64_t kColumns = 16;
inline constexpr std::int64_t kDepth = 32;
inline constexpr std::int64_t kRowBytes = 64;

/// bf16 in a packed tile of a right operand.
inline constexpr std::int64_t kTileElements = kDepth * kColumns;

static_assert(kColumns * sizeof(float) == kRowBytes && kDepth * sizeof(bfloat16) == kRowBytes);

/// Where (depth, column) stands in a packed tile.
constexpr std::int64_t packed_index(std::int64_t depth, std::int64_t column) {
  return depth / 2 * (2 * kColumns) + 2 * column + depth % 2;
}

/// Up to two by two tiles of sums in memory.
struct SumTiles {
  int row_tiles;
  int column_tiles;
  float* data;
  std::int64_t stride;         ///< of a tile's rows
  std::int64_t column_stride;  ///< elements from a column of tiles to the next

  float* tile(int row, int column) const {
    return data + row * kRows * stride + column * column_stride;
  }
};

/// sums [row_tiles, column_tiles] = or += left [row_tiles, depth_tiles] right [depth_tiles,
/// column_tiles], in tiles: what a unit computes without leaving its registers. Four tiles of sums,
/// two of left and two of right are the eight that there are, and each tile that is loaded serves
/// two products: 32 cycles of loading for 64 of multiplying.
struct BlockProduct {
  int row_tiles;     ///< 1 or 2
  int column_tiles;  ///< 1 or 2
  std::int64_t depth_tiles;
  bool accumulate;
  const bfloat16* left;  ///< rows of depth_tiles * kDepth, or tiles one by one
  std::int64_t left_stride;
  const bfloat16* right;           ///< packed tiles, those of one column one after the other
  std::int64_t right_tile_stride;  ///< elements from one column of tiles to the next
  float* sums;                     ///< rows of column_tiles * kColumns, or columns of tiles
  std::int64_t sums_stride;

  // Where tiles of left and of sums do not stand side by side, as parts of the same rows do.
  std::int64_t left_depth_stride = kDepth;     ///< elements from a tile to the next in depth
  std::int64_t left_tile_stride = 0;           ///< to the next row of tiles; 0: of whole rows
  std::int64_t sums_column_stride = kColumns;  ///< to the next column of tiles

  /// The tiles of left will not be read again soon. They pass by the level-1 cache, where they
  /// would take the place of what is: a tile of sums that is stored elsewhere than there costs 12
  /// ns, and the products wait for it.
  bool left_passes_by = false;

  const bfloat16* left_tile(int row, std::int64_t depth) const {
    return left + row * (left_tile_stride != 0 ? left_tile_stride : kRows * left_stride) +
           depth * left_depth_stride;
  }
  const bfloat16* right_tile(std::int64_t depth, int column) const {
    return right + column * right_tile_stride + depth * kTileElements;
  }
  SumTiles sum_tiles() const {
    return {row_tiles, column_tiles, sums, sums_stride, sums_column_stride};
  }
};

}  // namespace limelight::tiles
