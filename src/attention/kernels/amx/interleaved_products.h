#pragma once

#include <array>
#include <memory>

#include "attention/kernels/amx/score_strip.h"

namespace limelight::amx {

/// The thread's tiles, and memory for the product that stands in them and the one that comes next.
class ProductStream {
 public:
  explicit ProductStream(const tiles::TileUnit& unit) : session_(unit) {}

  /// `make()` is the product.
  template <class Make>
  void begin(const Make& make) {
    slot_ = 1 - slot_;
    session_.begin(*std::construct_at(&products_[slot_], make()));
  }
  bool has_steps() const { return session_.has_steps(); }
  void step() { session_.step(); }
  void finish() { session_.finish(); }

 private:
  tiles::TileSession session_;
  std::array<tiles::BlockProduct, 2> products_;
  std::size_t slot_ = 0;
};

/// Products that run while a strip is weighed. They have nothing to do with its weights, so a core
/// that executes out of order computes both at once: tiles on one unit, exponentials on the others.
/// It sees 512 instructions: so a step is one depth, 4 products and 64 cycles, and stands between
/// two pieces of weighing of about 100 instructions.
///
/// `Products` has steps(), of all of them together, and operator[], the product.
template <class Products>
class InterleavedProducts {
 public:
  InterleavedProducts(ProductStream& stream, const Products& products)
      : stream_(stream), products_(products), steps_(products.steps()) {}

  /// Takes the steps that are due when one more of `pieces` is weighed.
  void run_beside_one_of(std::int64_t pieces) {
    for (due_ += steps_; due_ >= pieces; due_ -= pieces) take_step();
  }
  void run_all() { run_beside_one_of(1); }

 private:
  void take_step() {
    if (begun_ > 0 && stream_.has_steps()) return stream_.step();
    stream_.begin([&] { return products_[begun_]; });
    ++begun_;
  }

  ProductStream& stream_;
  Products products_;
  std::int64_t steps_;
  std::int64_t due_ = 0;  ///< of steps, in parts of a piece
  std::int64_t begun_ = 0;
};

/// sums^T = keys queries^T, for two rows of tiles: a strip of packed keys and up to two packed
/// tiles of queries, as scores stand.
inline tiles::BlockProduct strip_product(std::int64_t depth_tiles, int query_tiles,
                                         const bfloat16* keys, const bfloat16* queries, float* sums,
                                         std::int64_t row_tile) {
  const std::int64_t row = depth_tiles * tiles::kTileElements;
  return {.row_tiles = 2,
          .column_tiles = query_tiles,
          .depth_tiles = depth_tiles,
          .accumulate = false,
          .left = keys + row_tile * row,
          .left_stride = tiles::kDepth,
          .right = queries,
          .right_tile_stride = row,
          .sums = sums + row_tile * tiles::kRows * tiles::kColumns,
          .sums_stride = tiles::kColumns,
          .left_depth_stride = tiles::kTileElements,
          .left_tile_stride = row,
          .sums_column_stride = kStripKeys * tiles::kColumns,
          .left_passes_by = true};
}

}  // namespace limelight::amx
