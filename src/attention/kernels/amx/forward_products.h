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
        score_rows_(next ? kStripRowTiles : 0),
        context_rows_(previous ? call.value_tiles : 0) {}

  std::int64_t steps() const {
    return score_rows_ / 2 * call_.depth_tiles + ceil_div(context_rows_, 2) * kStripDepthTiles;
  }
  template <class Body>
  void for_each(const Body& body) const {
    for (std::int64_t row = 0; row < score_rows_; row += 2) body(score_product(row));
    for (std::int64_t row = 0; row < context_rows_; row += 2) body(context_product(row));
  }

 private:
  tiles::BlockProduct score_product(std::int64_t row_tile) const {
    const std::int64_t strip = kStripRowTiles * call_.depth_tiles * tiles::kTileElements;
    return strip_product(call_.depth_tiles, next_->block->query_tiles(),
                         packed_.keys + next_->index() * strip, next_->block->query, next_->scores,
                         row_tile);
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
  const Strip* next_;
  const Strip* previous_;
  std::int64_t score_rows_, context_rows_;  ///< of tiles
};

}  // namespace limelight::amx
