#pragma once

#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/amx/interleaved_products.h"

namespace limelight::amx {

/// What runs while a strip is weighed: the scores of the strip after it and the context of the
/// strip before.
class ForwardProducts {
 public:
  /// Null: there is no such strip.
  ForwardProducts(const TileCall& call, const PackedHead& packed, const Strip* next,
                  const Strip* previous)
      : call_(call),
        packed_(packed),
        next_(next),
        previous_(previous),
        scores_(next ? kStripRowTiles / 2 : 0),
        contexts_(previous ? ceil_div(call.value_tiles, 2) : 0) {}

  std::int64_t steps() const { return scores_ * call_.depth_tiles + contexts_ * kStripDepthTiles; }
  tiles::BlockProduct operator[](std::int64_t i) const {
    if (i >= scores_) return context_product(2 * (i - scores_));
    const std::int64_t strip = kStripRowTiles * call_.depth_tiles * tiles::kTileElements;
    return strip_product(call_.depth_tiles, next_->block->query_tiles(),
                         packed_.keys + next_->index() * strip, next_->block->query, next_->scores,
                         2 * i);
  }

 private:
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
  const Strip* next_;
  const Strip* previous_;
  std::int64_t scores_, contexts_;  ///< products of each kind
};

}  // namespace limelight::amx
