#pragma once

#include <cstdint>

namespace limelight::simd {

// The extents that every kernel is cut by. With head_dim and value_dim 64, in floats:
//
//   a strip of packed keys or values that one register tile walks over (64 lanes x 64)  16 KiB, L1
//   a forward tile's scores (24 x 128)                                                  12 KiB, L1
//   a tile's packed keys and values (128 x (64 + 64))                                   64 KiB, L2
//
// so each strip is read from L2 once for all query rows of a block, and from L1 for each register
// tile of 6 rows. A block's own traffic to L2, 64 KiB for 24 x 128 x 128 multiply-adds, is a tenth
// of the time that they take.

/// Queries of a forward block: four register tiles of 6 rows.
inline constexpr std::int64_t kQueryRows = 24;

/// Queries of a forward task, whose blocks take each tile of keys one after the other. The packed
/// keys and values of a long text do not fit the caches, and every task reads them anew: at 100
/// GFLOP/s a thread would ask the memory for 8 GB/s with one block a task, and asks for 2 with
/// four.
inline constexpr std::int64_t kTaskRows = 4 * kQueryRows;

/// Keys of a tile. Tiles begin at multiples of it, counted from a sequence's first key, so that a
/// row meets the same tiles whatever block it is in and however many keys follow.
inline constexpr std::int64_t kTileKeys = 128;

/// Queries of a backward tile. Each of the three products that sum over queries reads and writes
/// its sums once for each tile: 48 multiply-adds for one load and one store.
inline constexpr std::int64_t kBackwardRows = 48;

/// Rows of packed floats are padded with zeros to multiples of this, the lanes of the widest
/// vector.
inline constexpr std::int64_t kLaneMultiple = 16;

constexpr std::int64_t round_up(std::int64_t extent, std::int64_t multiple) {
  return (extent + multiple - 1) / multiple * multiple;
}

constexpr std::int64_t padded(std::int64_t extent) { return round_up(extent, kLaneMultiple); }

}  // namespace limelight::simd
