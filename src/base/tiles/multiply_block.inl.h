// The walk over the tiles of a BlockProduct, once for every unit. Included where the unit's tiles
// are defined, so that it is compiled with the same instruction set as they are.
//
// `Tiles` has as static members, for r and c of 0 or 1:
//   zero_sum<r, c>()             load_sum<r, c>(from, stride)     store_sum<r, c>(to, stride)
//   load_left<r>(from, stride)   load_right<c>(from)           pass_left<r>(from, stride)
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

template <class Tiles, int kRow>
void load_left(const BlockProduct& product, std::int64_t depth) {
  if (product.left_passes_by) {
    Tiles::template pass_left<kRow>(product.left_tile(kRow, depth), product.left_stride);
  } else {
    Tiles::template load_left<kRow>(product.left_tile(kRow, depth), product.left_stride);
  }
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void add_depth_of(const BlockProduct& product, std::int64_t depth) {
  load_left<Tiles, 0>(product, depth);
  Tiles::template load_right<0>(product.right_tile(depth, 0));
  Tiles::template multiply<0, 0>();
  if constexpr (kColumnTiles == 2) {
    Tiles::template load_right<1>(product.right_tile(depth, 1));
    Tiles::template multiply<0, 1>();
  }
  if constexpr (kRowTiles == 2) {
    load_left<Tiles, 1>(product, depth);
    Tiles::template multiply<1, 0>();
  }
  if constexpr (kRowTiles == 2 && kColumnTiles == 2) Tiles::template multiply<1, 1>();
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void finish_of(const BlockProduct& product) {
  for_each_sum<kRowTiles, kColumnTiles>([&](auto r, auto c) {
    Tiles::template store_sum<r(), c()>(product.sums_tile(r(), c()), product.sums_stride);
  });
}

/// The operands are loaded before any sum is stored, so that they do not wait for it; and each sum
/// is stored, loaded and multiplied by itself, so that the products of the others go on.
/// `unfinished` is null or has the same tiles.
template <class Tiles, int kRowTiles, int kColumnTiles>
void begin_of(const BlockProduct& product, const BlockProduct* unfinished) {
  load_left<Tiles, 0>(product, 0);
  Tiles::template load_right<0>(product.right_tile(0, 0));
  if constexpr (kColumnTiles == 2) Tiles::template load_right<1>(product.right_tile(0, 1));
  if constexpr (kRowTiles == 2) load_left<Tiles, 1>(product, 0);
  for_each_sum<kRowTiles, kColumnTiles>([&](auto r, auto c) {
    if (unfinished) {
      Tiles::template store_sum<r(), c()>(unfinished->sums_tile(r(), c()), unfinished->sums_stride);
    }
    if (product.accumulate) {
      Tiles::template load_sum<r(), c()>(product.sums_tile(r(), c()), product.sums_stride);
    } else {
      Tiles::template zero_sum<r(), c()>();
    }
    Tiles::template multiply<r(), c()>();
  });
}

/// body(rows, columns), the product's tiles as constants.
template <class Body>
void with_tiles_of(const BlockProduct& product, const Body& body) {
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  if (product.row_tiles == 2) {
    if (product.column_tiles == 2) return body(Two(), Two());
    return body(Two(), One());
  }
  if (product.column_tiles == 2) return body(One(), Two());
  body(One(), One());
}

// What a TileUnit points to. g++ 12 does not know that _tile_loadd reads memory: what was written
// before must be there.

template <class Tiles>
void finish(const BlockProduct& product) {
  with_tiles_of(product,
                [&](auto rows, auto columns) { finish_of<Tiles, rows(), columns()>(product); });
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <class Tiles>
void begin(const BlockProduct& product, const BlockProduct* unfinished) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (unfinished && (unfinished->row_tiles != product.row_tiles ||
                     unfinished->column_tiles != product.column_tiles)) {
    finish<Tiles>(*unfinished);
    unfinished = nullptr;
  }
  with_tiles_of(product, [&](auto rows, auto columns) {
    begin_of<Tiles, rows(), columns()>(product, unfinished);
  });
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <class Tiles>
void add_depth(const BlockProduct& product, std::int64_t depth) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  with_tiles_of(product, [&](auto rows, auto columns) {
    add_depth_of<Tiles, rows(), columns()>(product, depth);
  });
}

}  // namespace
}  // namespace limelight::tiles
