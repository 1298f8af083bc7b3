#pragma once

#include "attention/kernels/amx/backward_block.h"
#include "attention/kernels/amx/interleaved_products.h"

namespace limelight::amx {

/// The products by which a weighed strip enters the gradients, numbered.
class GradientProducts {
 public:
  GradientProducts(const GradientCall& call, const GradientScratch& scratch,
                   const WeighedStrip& strip)
      : call_(call),
        scratch_(scratch),
        strip_(strip),
        values_(kRowPairs * ceil_div(call.value.column_tiles, 2)),
        keys_(kRowPairs * ceil_div(call.head.column_tiles, 2)),
        queries_of_part_(call.backward.wants_query() ? ceil_div(call.head.column_tiles, 2) : 0) {}

  std::int64_t count() const { return values_ + keys_ + strip_.parts * queries_of_part_; }
  std::int64_t steps_of(std::int64_t i) const {
    return i < values_ + keys_ ? strip_.parts : kStripDepthTiles;
  }
  tiles::BlockProduct operator[](std::int64_t i) const {
    if (i < values_) {
      return key_product(i, strip_.weights, strip_.met->packed.grad_pairs, call_.value,
                         scratch_.grad_values);
    }
    i -= values_;
    if (i < keys_) {
      return key_product(i, strip_.grad_scores, strip_.met->packed.query_pairs, call_.head,
                         scratch_.grad_keys);
    }
    i -= keys_;
    std::int64_t part = strip_.first_part;
    for (; i >= queries_of_part_; i -= queries_of_part_) ++part;  // sooner than a division
    return query_product(part, 2 * i);
  }

 private:
  static constexpr std::int64_t kRowPairs = kStripRowTiles / 2;
  static constexpr std::int64_t kPartsOfTiles = kBlockParts * tiles::kTileElements;

  /// gradient += left^T rows, for two rows of tiles of keys and two columns, or the last one: a
  /// pair of columns meets all rows, so that the packed rows come from level 2 once.
  tiles::BlockProduct key_product(std::int64_t i, const bfloat16* left, const bfloat16* pairs,
                                  const TileWidth& width, float* gradient) const {
    const std::int64_t row_tile = 2 * (i % kRowPairs);
    const std::int64_t column_tile = 2 * (i / kRowPairs);
    const std::int64_t part = strip_.first_part * tiles::kTileElements;
    const std::int64_t first_key = strip_.strip() * kStripKeys + row_tile * tiles::kRows;
    return {.row_tiles = 2,
            .column_tiles = column_tile + 1 < width.column_tiles ? 2 : 1,
            .depth_tiles = strip_.parts,
            .accumulate = true,
            .left = left + row_tile * kPartsOfTiles + part,
            .left_stride = tiles::kDepth,
            .right = pairs + column_tile * kPartsOfTiles + part,
            .right_tile_stride = kPartsOfTiles,
            .sums = gradient + (column_tile * simd::kTileKeys + first_key) * tiles::kColumns,
            .sums_stride = tiles::kColumns,
            .left_depth_stride = tiles::kTileElements,
            .left_tile_stride = kPartsOfTiles,
            .sums_column_stride = simd::kTileKeys * tiles::kColumns};
  }

  /// grad_query^T += keys^T grad_scores^T, for two rows of tiles, or the last one
  tiles::BlockProduct query_product(std::int64_t part, std::int64_t row_tile) const {
    constexpr std::int64_t kRow = kStripDepthTiles * tiles::kTileElements;
    const BlockPart& queries = strip_.met->parts[static_cast<std::size_t>(part)];
    return {
        .row_tiles = row_tile + 1 < call_.head.column_tiles ? 2 : 1,
        .column_tiles = queries.query_tiles(),
        .depth_tiles = kStripDepthTiles,
        .accumulate = true,
        .left = scratch_.keys_turned + (strip_.strip() * call_.head.column_tiles + row_tile) * kRow,
        .left_stride = tiles::kDepth,
        .right = strip_.grad_turned + part * kStripScores,
        .right_tile_stride = kRow,
        .sums = queries.grad_query + row_tile * tiles::kRows * tiles::kColumns,
        .sums_stride = tiles::kColumns,
        .left_depth_stride = tiles::kTileElements,
        .left_tile_stride = kRow,
        .sums_column_stride = call_.head.columns() * tiles::kColumns,
        .left_passes_by = true};
  }

  const GradientCall& call_;
  const GradientScratch& scratch_;
  const WeighedStrip& strip_;
  std::int64_t values_, keys_;  ///< products of each kind
  std::int64_t queries_of_part_;
};

/// What runs while a strip is weighed: the dot products of the strip that comes next, which come
/// first, and products [begin, end) of the one weighed before.
class BackwardProducts {
 public:
  /// Null: there is no next one.
  BackwardProducts(const GradientCall& call, const GradientScratch& scratch,
                   const GradientStrip* next, const WeighedStrip& weighed, std::int64_t begin,
                   std::int64_t end)
      : call_(call),
        scratch_(scratch),
        next_(next),
        weighed_(call, scratch, weighed),
        dot_rows_(next ? kStripRowTiles : 0),
        begin_(begin),
        end_(end) {}

  std::int64_t steps() const {
    std::int64_t steps = dot_rows_ / 2 * (call_.head.depth_tiles + call_.value.depth_tiles);
    for (std::int64_t i = begin_; i < end_; ++i) steps += weighed_.steps_of(i);
    return steps;
  }
  template <class Body>
  void for_each(const Body& body) const {
    for (std::int64_t row = 0; row < dot_rows_; row += 2) {
      body(dot_product(call_.head.depth_tiles, scratch_.keys, next_->block->query, next_->scores,
                       row));
    }
    for (std::int64_t row = 0; row < dot_rows_; row += 2) {
      body(dot_product(call_.value.depth_tiles, scratch_.values, next_->block->grad_out,
                       next_->grad_weights, row));
    }
    for (std::int64_t i = begin_; i < end_; ++i) body(weighed_[i]);
  }

 private:
  tiles::BlockProduct dot_product(std::int64_t depth_tiles, const bfloat16* packed_keys,
                                  const bfloat16* queries, float* sums,
                                  std::int64_t row_tile) const {
    const std::int64_t strip = next_->index() % kTileStrips;
    return strip_product(depth_tiles, next_->block->query_tiles(),
                         packed_keys + strip * kStripKeys * depth_tiles * tiles::kDepth, queries,
                         sums, row_tile);
  }

  const GradientCall& call_;
  const GradientScratch& scratch_;
  const GradientStrip* next_;
  GradientProducts weighed_;
  std::int64_t dot_rows_;  ///< of tiles
  std::int64_t begin_, end_;
};

}  // namespace limelight::amx
