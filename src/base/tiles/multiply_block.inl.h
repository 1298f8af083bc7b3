// The walk over the tiles of a BlockProduct, once for every unit. Included where the unit's tiles
// are defined, so that it is compiled with the same instruction set as they are.
//
// `Tiles` has as static members, for r and c of 0 or 1:
//   zero_sum<r, c>()             load_sum<r, c>(from, stride)     store_sum<r, c>(to, stride)
//   load_left<r>(from, stride)   load_right<c>(from)           pass_left<r>(from, stride)
//   multiply<r, c>()             the sum at (r, c) += left r * right c

#include <atomic>
#include <type_traits>

#include "base/tiles/tile_unit.h"

namespace limelight::tiles {
namespace {

/// body(rows, columns), a product's tiles as constants.
template <class Body>
void with_tiles_of(int row_tiles, int column_tiles, const Body& body) {
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  if (row_tiles == 2) {
    if (column_tiles == 2) return body(Two(), Two());
    return body(Two(), One());
  }
  if (column_tiles == 2) return body(One(), Two());
  body(One(), One());
}

template <class Tiles, int kRow>
void load_left(const BlockProduct& product, std::int64_t depth) {
  if (product.left_passes_by) {
    Tiles::template pass_left<kRow>(product.left_tile(kRow, depth), product.left_stride);
  } else {
    Tiles::template load_left<kRow>(product.left_tile(kRow, depth), product.left_stride);
  }
}

template <class Tiles, int kRow, int kColumn>
void begin_sum(const BlockProduct& product, const SumTiles* unfinished) {
  if (unfinished) {
    Tiles::template store_sum<kRow, kColumn>(unfinished->tile(kRow, kColumn), unfinished->stride);
  }
  if (product.accumulate) {
    Tiles::template load_sum<kRow, kColumn>(product.sum_tiles().tile(kRow, kColumn),
                                            product.sums_stride);
  } else {
    Tiles::template zero_sum<kRow, kColumn>();
  }
  Tiles::template multiply<kRow, kColumn>();
}

/// The first depth. Operands are loaded before any sum is stored, so that they do not wait for it;
/// and each sum is stored, loaded and multiplied by itself, so that the products of the others go
/// on. `unfinished` is null or has the same tiles.
template <class Tiles, int kRowTiles, int kColumnTiles>
void begin_of(const BlockProduct& product, const SumTiles* unfinished, const Beside& beside) {
  load_left<Tiles, 0>(product, 0);
  Tiles::template load_right<0>(product.right_tile(0, 0));
  if constexpr (kColumnTiles == 2) Tiles::template load_right<1>(product.right_tile(0, 1));
  if constexpr (kRowTiles == 2) load_left<Tiles, 1>(product, 0);
  begin_sum<Tiles, 0, 0>(product, unfinished);
  if constexpr (kColumnTiles == 2) begin_sum<Tiles, 0, 1>(product, unfinished);
  beside();
  if constexpr (kRowTiles == 1) return;
  begin_sum<Tiles, kRowTiles - 1, 0>(product, unfinished);
  if constexpr (kColumnTiles == 2) begin_sum<Tiles, kRowTiles - 1, 1>(product, unfinished);
  beside();
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void add_depth_of(const BlockProduct& product, std::int64_t depth, const Beside& beside) {
  load_left<Tiles, 0>(product, depth);
  Tiles::template load_right<0>(product.right_tile(depth, 0));
  Tiles::template multiply<0, 0>();
  if constexpr (kColumnTiles == 2) {
    Tiles::template load_right<1>(product.right_tile(depth, 1));
    Tiles::template multiply<0, 1>();
  }
  beside();
  if constexpr (kRowTiles == 1) return;
  load_left<Tiles, kRowTiles - 1>(product, depth);
  Tiles::template multiply<kRowTiles - 1, 0>();
  if constexpr (kColumnTiles == 2) Tiles::template multiply<kRowTiles - 1, 1>();
  beside();
}

template <class Tiles, int kRowTiles, int kColumnTiles>
void finish_of(const SumTiles& sums) {
  const auto store = [&](auto r, auto c) {
    Tiles::template store_sum<r(), c()>(sums.tile(r(), c()), sums.stride);
  };
  using Zero = std::integral_constant<int, 0>;
  using One = std::integral_constant<int, 1>;
  store(Zero(), Zero());
  if constexpr (kColumnTiles == 2) store(Zero(), One());
  if constexpr (kRowTiles == 2) store(One(), Zero());
  if constexpr (kRowTiles == 2 && kColumnTiles == 2) store(One(), One());
}

// What a TileUnit points to. g++ 12 does not know that _tile_loadd reads memory: what was written
// before must be there.

template <class Tiles>
void finish(const SumTiles& sums) {
  with_tiles_of(sums.row_tiles, sums.column_tiles,
                [&](auto rows, auto columns) { finish_of<Tiles, rows(), columns()>(sums); });
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <class Tiles>
void multiply(const BlockProduct& product, const SumTiles& unfinished, const Beside& beside) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const bool replaces =
      unfinished.row_tiles == product.row_tiles && unfinished.column_tiles == product.column_tiles;
  if (unfinished.row_tiles != 0 && !replaces) finish<Tiles>(unfinished);
  with_tiles_of(product.row_tiles, product.column_tiles, [&](auto rows, auto columns) {
    begin_of<Tiles, rows(), columns()>(product, replaces ? &unfinished : nullptr, beside);
    for (std::int64_t depth = 1; depth < product.depth_tiles; ++depth) {
      add_depth_of<Tiles, rows(), columns()>(product, depth, beside);
    }
  });
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace
}  // namespace limelight::tiles
