// The walk over the tiles of a BlockProduct, once for every unit. Included where the unit's tiles
// are defined, so that it is compiled with the same instruction set as they are.
//
// `Tiles` has as static members, for r and c of 0 or 1:
//   zero_sum<r, c>()             load_sum<r, c>(from, stride)     store_sum<r, c>(to, stride)
//   load_left<r>(from, stride)   load_right<c>(from)
//   multiply<r, c>()             the sum at (r, c) += left r * right c

#include <atomic>
#include <type_traits>

#include "base/tiles/tile.h"

namespace limelight::tiles {
namespace {

/// body(r, c) for every tile of sums, r and c being constants.
template <int kRowTiles, int kColumnTiles, class Body>
void for_each_sum(const Body& body) {
  using Zero = std::integral_constant<int, 0>;
  using One = std::integral_constant<int, 1>;
  body(Zero(), Zero());
  if constexpr (kColumnTiles == 2) body(Zero(), One());
  if constexpr (kRowTiles == 2) body(One(), Zero());
  if constexpr (kRowTiles == 2 && kColumnTiles == 2) body(One(), One());
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void multiply_depth(const BlockProduct& product, std::int64_t depth) {
  Tiles::template load_left<0>(product.left_tile(0, depth), product.left_stride);
  Tiles::template load_right<0>(product.right_tile(depth, 0));
  Tiles::template multiply<0, 0>();
  if constexpr (kColumnTiles == 2) {
    Tiles::template load_right<1>(product.right_tile(depth, 1));
    Tiles::template multiply<0, 1>();
  }
  if constexpr (kRowTiles == 2) {
    Tiles::template load_left<1>(product.left_tile(1, depth), product.left_stride);
    Tiles::template multiply<1, 0>();
  }
  if constexpr (kRowTiles == 2 && kColumnTiles == 2) Tiles::template multiply<1, 1>();
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void multiply_block(const BlockProduct& product) {
  // g++ 12 does not know that _tile_loadd reads memory: what was written before must be there.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  for_each_sum<kRowTiles, kColumnTiles>([&](auto r, auto c) {
    if (product.accumulate) {
      Tiles::template load_sum<r(), c()>(product.sums_tile(r(), c()), product.sums_stride);
    } else {
      Tiles::template zero_sum<r(), c()>();
    }
  });
  for (std::int64_t depth = 0; depth < product.depth_tiles; ++depth) {
    multiply_depth<Tiles, kRowTiles, kColumnTiles>(product, depth);
  }
  for_each_sum<kRowTiles, kColumnTiles>([&](auto r, auto c) {
    Tiles::template store_sum<r(), c()>(product.sums_tile(r(), c()), product.sums_stride);
  });
}

template <class Tiles>
void multiply(const BlockProduct& product) {
  if (product.row_tiles == 1) {
    if (product.column_tiles == 1) return multiply_block<Tiles, 1, 1>(product);
    return multiply_block<Tiles, 1, 2>(product);
  }
  if (product.column_tiles == 1) return multiply_block<Tiles, 2, 1>(product);
  return multiply_block<Tiles, 2, 2>(product);
}

}  // namespace
}  // namespace limelight::tiles
