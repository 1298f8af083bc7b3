#pragma once

#include <algorithm>

#include "attention/kernels/amx/forward_block.h"

namespace limelight::amx {

/// The tile products that run between the rows of a strip's softmax: the scores of the strip after
/// it and the context of the strip before. They have nothing to do with those rows, so a core that
/// executes out of order computes both at once: tiles on one unit, exponentials on the others. A
/// piece is 8 to 16 products of tiles for head_dim 64 to 128, 128 to 256 cycles, and the rows
/// between two pieces a few hundred instructions: what such a core (it sees 512) can look ahead
/// over.
class InterleavedProducts {
 public:
  /// Null: there is no such strip.
  InterleavedProducts(const TileCall& call, const tiles::TileSession& session,
                      const ForwardBlock& block, const ForwardScratch& scratch, const Strip* next,
                      const Strip* previous)
      : call_(call),
        session_(session),
        block_(block),
        scratch_(scratch),
        next_(next),
        previous_(previous),
        score_pieces_(next ? kStripColumnTiles / 2 : 0),
        pieces_(score_pieces_ + (previous ? ceil_div(call.value_tiles, 2) : 0)) {}

  /// Runs the share of the products that is due when `done` of `all` rows are weighed.
  void run_until(std::int64_t done, std::int64_t all) {
    for (; run_ < pieces_ * done / all; ++run_) run_piece(run_);
  }
  void run_all() { run_until(1, 1); }

 private:
  void run_piece(std::int64_t piece) const {
    session_.multiply(piece < score_pieces_ ? score_product(2 * piece)
                                            : context_product(2 * (piece - score_pieces_)));
  }

  /// scores = query key^T, for two columns of tiles
  tiles::BlockProduct score_product(std::int64_t column_tile) const {
    const std::int64_t column = call_.depth_tiles * tiles::kTileElements;
    return {
        .row_tiles = block_.row_tiles(),
        .column_tiles = 2,
        .depth_tiles = call_.depth_tiles,
        .accumulate = false,
        .left = scratch_.query,
        .left_stride = call_.head_width,
        .right = block_.packed.keys + (next_->index() * kStripColumnTiles + column_tile) * column,
        .right_tile_stride = column,
        .sums = next_->rows + column_tile * tiles::kColumns,
        .sums_stride = kStripKeys};
  }

  /// context += weights value, for two columns of tiles, or the last one
  tiles::BlockProduct context_product(std::int64_t column_tile) const {
    constexpr std::int64_t kColumn = kStripDepthTiles * tiles::kTileElements;
    return {.row_tiles = block_.row_tiles(),
            .column_tiles = column_tile + 1 < call_.value_tiles ? 2 : 1,
            .depth_tiles = kStripDepthTiles,
            .accumulate = true,
            .left = previous_->weights(),
            .left_stride = Strip::kWeightStride,
            .right = block_.packed.values +
                     (previous_->index() * call_.value_tiles + column_tile) * kColumn,
            .right_tile_stride = kColumn,
            .sums = scratch_.context + column_tile * tiles::kColumns,
            .sums_stride = call_.value_width};
  }

  const TileCall& call_;
  const tiles::TileSession& session_;
  const ForwardBlock& block_;
  const ForwardScratch& scratch_;
  const Strip* next_;
  const Strip* previous_;
  std::int64_t score_pieces_;
  std::int64_t pieces_;
  std::int64_t run_ = 0;
};

}  // namespace limelight::amx
