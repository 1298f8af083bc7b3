#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "attention/kernels/amx/forward_block.h"

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

/// The tile products that run while a strip is weighed: the scores of the strip after it and the
/// context of the strip before. They have nothing to do with its weights, so a core that executes
/// out of order computes both at once: tiles on one unit, exponentials on the others. It sees 512
/// instructions: so a step is one depth, 4 products and 64 cycles, and stands between two pieces of
/// weighing of about 100 instructions.
class InterleavedProducts {
 public:
  /// Null: there is no such strip.
  InterleavedProducts(const TileCall& call, const PackedHead& packed, ProductStream& stream,
                      const Strip* next, const Strip* previous)
      : call_(call),
        packed_(packed),
        stream_(stream),
        next_(next),
        previous_(previous),
        score_products_(next ? kStripRowTiles / 2 : 0),
        products_(score_products_ + (previous ? ceil_div(call.value_tiles, 2) : 0)),
        steps_(score_products_ * call.depth_tiles +
               (products_ - score_products_) * kStripDepthTiles) {}

  /// Takes the steps that are due when one more of `pieces` is weighed.
  void run_beside_one_of(std::int64_t pieces) {
    for (due_ += steps_; due_ >= pieces; due_ -= pieces) take_step();
  }
  void run_all() { run_beside_one_of(1); }

 private:
  void take_step() {
    if (begun_ > 0 && stream_.has_steps()) return stream_.step();
    if (begun_ < score_products_) {
      stream_.begin([&] { return score_product(2 * begun_); });
    } else {
      stream_.begin([&] { return context_product(2 * (begun_ - score_products_)); });
    }
    ++begun_;
  }

  /// scores^T = keys query^T, for two rows of tiles
  tiles::BlockProduct score_product(std::int64_t row_tile) const {
    const std::int64_t row = call_.depth_tiles * tiles::kTileElements;
    return {.row_tiles = 2,
            .column_tiles = next_->block->query_tiles(),
            .depth_tiles = call_.depth_tiles,
            .accumulate = false,
            .left = packed_.keys + (next_->index() * kStripRowTiles + row_tile) * row,
            .left_stride = tiles::kDepth,
            .right = next_->block->query,
            .right_tile_stride = row,
            .sums = next_->scores + row_tile * tiles::kRows * tiles::kColumns,
            .sums_stride = tiles::kColumns,
            .left_depth_stride = tiles::kTileElements,
            .left_tile_stride = row,
            .sums_column_stride = kStripKeys * tiles::kColumns,
            .left_passes_by = true};
  }

  /// context^T += value^T weights^T, for two rows of tiles, or the last one
  tiles::BlockProduct context_product(std::int64_t row_tile) const {
    constexpr std::int64_t kRow = kStripDepthTiles * tiles::kTileElements;
    return {.row_tiles = row_tile + 1 < call_.value_tiles ? 2 : 1,
            .column_tiles = previous_->block->query_tiles(),
            .depth_tiles = kStripDepthTiles,
            .accumulate = previous_->block->begun,
            .left = packed_.values + (previous_->index() * call_.value_tiles + row_tile) * kRow,
            .left_stride = tiles::kDepth,
            .right = previous_->weights,
            .right_tile_stride = kRow,
            .sums = previous_->block->context + row_tile * tiles::kRows * tiles::kColumns,
            .sums_stride = tiles::kColumns,
            .left_depth_stride = tiles::kTileElements,
            .left_tile_stride = kRow,
            .sums_column_stride = call_.value_width * tiles::kColumns,
            .left_passes_by = true};
  }

  const TileCall& call_;
  const PackedHead& packed_;
  ProductStream& stream_;
  const Strip* next_;
  const Strip* previous_;
  std::int64_t score_products_;
  std::int64_t products_;
  std::int64_t steps_;
  std::int64_t due_ = 0;  ///< of steps, in parts of a piece
  std::int64_t begun_ = 0;
};

}  // namespace limelight::amx
