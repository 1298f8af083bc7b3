#pragma once

#include <cstdint>

#include "attention/kernels/amx/score_strip.h"

namespace limelight::amx {

/// Spreads the pieces of a strip's weighing evenly over the halves of the steps that products take
/// (see tiles::Beside). The core sees 512 instructions ahead: a half step is 2 products and 32
/// cycles, and a piece some 100 instructions.
///
/// `Work` has pieces(), how many there are, and next(), which does one.
template <class Work>
class SpreadPieces {
 public:
  SpreadPieces(Work& work, std::int64_t half_steps)
      : work_(work), pieces_(work.pieces()), left_(pieces_), half_steps_(half_steps) {}

  tiles::Beside beside() {
    return {[](void* self) { static_cast<SpreadPieces*>(self)->do_due(); }, this};
  }
  void do_rest() {
    for (; left_ > 0; --left_) work_.next();
  }

 private:
  void do_due() {
    for (due_ += pieces_; due_ >= half_steps_ && left_ > 0; due_ -= half_steps_, --left_) {
      work_.next();
    }
  }

  Work& work_;
  std::int64_t pieces_, left_;
  std::int64_t half_steps_;
  std::int64_t due_ = 0;  ///< of pieces, in parts of a half step
};

/// Multiplies all `products` while `work` is done.
///
/// `Products` has steps(), the depths of all of them together, and for_each(body), which calls
/// body(product).
template <class Products, class Work>
void multiply_beside(tiles::TileSession& session, const Products& products, Work& work) {
  SpreadPieces<Work> pieces(work, 2 * products.steps());
  const tiles::Beside beside = pieces.beside();
  products.for_each([&](const tiles::BlockProduct& product) { session.multiply(product, beside); });
  pieces.do_rest();
}

/// Multiplies all `products`, and has their sums in memory.
template <class Products>
void multiply_all(tiles::TileSession& session, const Products& products) {
  products.for_each([&](const tiles::BlockProduct& product) { session.multiply(product); });
  session.finish();
}

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
