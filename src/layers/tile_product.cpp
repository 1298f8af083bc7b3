#include "layers/tile_product.h"

#include <algorithm>

#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "layers/tile_product.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/narrow.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_TILE_PRODUCT_TYPES
#define LIMELIGHT_TILE_PRODUCT_TYPES
namespace limelight {

// One task is 256 rows times two columns of tiles. It takes the depth in pieces of 8 tiles: a piece
// of the weight is then 2 x 8 KiB, which stays in the level-1 cache while the rows pass by, 32 at a
// time and 16 KiB. Half of what is loaded comes from level 2: 2 KiB for 4 products of 16 cycles.
// The sums of a task, 256 x 32 in f32, are 32 KiB and are read and written once for 32 products.
// Rows of the result lie apart and come from level 3 or memory: they are asked for, and stored,
// while the last piece of the rows behind them is multiplied.
inline constexpr std::int64_t kTaskRows = 256;
inline constexpr std::int64_t kTaskColumns = 2 * tiles::kColumns;
inline constexpr std::int64_t kPieceTiles = 8;
inline constexpr std::int64_t kBlockRows = 2 * tiles::kRows;
inline constexpr std::int64_t kRoundedRows = 16;  ///< a task of rounding x

/// What one task computes: rows and columns of the result, and their sums on the way there.
struct ProductTask {
  std::int64_t rows, columns;
  const float* bias;  ///< of its columns, or null
  float* out;         ///< its first number
  std::int64_t out_width;
  alignas(64) float sums[kTaskRows * kTaskColumns];

  float* out_row(std::int64_t r) const { return out + r * out_width; }
};

}  // namespace limelight
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::HWY_NAMESPACE {
namespace {

void round_row(const float* row, std::int64_t count, bfloat16* to) {
  simd::HWY_NAMESPACE::narrow_row(row, count, 1, to);
}

/// out = sums + bias, for rows [first, last)
void store_rows(const ProductTask& task, std::int64_t first, std::int64_t last) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  alignas(64) static constexpr float kNoBias[kTaskColumns] = {};
  const float* bias = task.bias ? task.bias : kNoBias;
  for (std::int64_t r = first; r < last; ++r) {
    float* row = task.out_row(r);
    const float* sums = task.sums + r * kTaskColumns;
    std::int64_t c = 0;
    for (; c + lanes <= task.columns; c += lanes) {
      hn::StoreU(hn::Add(hn::Load(d, sums + c), hn::LoadU(d, bias + c)), d, row + c);
    }
    for (; c < task.columns; ++c) row[c] = sums[c] + bias[c];
  }
}

}  // namespace
}  // namespace limelight::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
namespace {

HWY_EXPORT(round_row);
HWY_EXPORT(store_rows);

/// x in bf16 [whole blocks of rows, whole tiles of depth], 0 beyond what there is.
AlignedBuffer<bfloat16> rounded_rows(std::int64_t rows, std::int64_t width, std::int64_t depth,
                                     const float* x) {
  const std::int64_t padded_rows = ceil_div(rows, kBlockRows) * kBlockRows;
  AlignedBuffer<bfloat16> rounded(static_cast<std::size_t>(padded_rows * depth));
  const auto round = LIMELIGHT_DISPATCH(round_row);
  parallel_for(ceil_div(rows, kRoundedRows), [&](std::int64_t task) {
    const std::int64_t last = std::min(rows, (task + 1) * kRoundedRows);
    for (std::int64_t r = task * kRoundedRows; r < last; ++r) {
      round(x + r * width, width, rounded.data() + r * depth);
    }
  });
  return rounded;
}

/// Asks for a tile of each of the columns, to level 2.
void prefetch_tile(const bfloat16* tile, int columns, std::int64_t column_stride) {
  constexpr std::int64_t kLine = 64 / sizeof(bfloat16);
  for (int c = 0; c < columns; ++c) {
    for (std::int64_t i = 0; i < tiles::kTileElements; i += kLine) {
      __builtin_prefetch(tile + c * column_stride + i, 0, 2);
    }
  }
}

/// Stores a task's rows while others are multiplied (see tiles::Beside), some at each call.
class StoreBeside {
 public:
  StoreBeside(const ProductTask& task, std::int64_t rows_at_a_time)
      : task_(task), rows_at_a_time_(rows_at_a_time), store_(LIMELIGHT_DISPATCH(store_rows)) {}

  tiles::Beside beside() {
    return {[](void* self) { static_cast<StoreBeside*>(self)->store_some(); }, this};
  }
  /// Rows before `rows` have their sums in memory.
  void complete(std::int64_t rows) { complete_ = std::max(complete_, rows); }
  void store_rest() { store_to(task_.rows); }

 private:
  void store_some() {
    const std::int64_t asked = std::min(asked_ + rows_at_a_time_, task_.rows);
    for (; asked_ < asked; ++asked_) ask_for(task_.out_row(asked_));
    store_to(std::min(stored_ + rows_at_a_time_, complete_));
  }
  /// To be written.
  void ask_for(const float* row) const {
    constexpr std::int64_t kLine = 64 / sizeof(float);
    for (std::int64_t c = 0; c < task_.columns; c += kLine) __builtin_prefetch(row + c, 1);
  }
  void store_to(std::int64_t last) {
    if (stored_ < last) store_(task_, stored_, last);
    stored_ = std::max(stored_, last);
  }

  const ProductTask& task_;
  std::int64_t rows_at_a_time_;
  void (*store_)(const ProductTask& task, std::int64_t first, std::int64_t last);
  std::int64_t complete_ = 0, stored_ = 0, asked_ = 0;
};

/// task.out = x * weight + bias. `left` is the task's rows, `right` its columns of tiles. The next
/// piece of the weight is asked for while one is multiplied: it comes from level 3 or memory.
void multiply_rows(const tiles::TileUnit& unit, std::int64_t depth_tiles, const bfloat16* left,
                   const bfloat16* right, ProductTask& task) {
  tiles::TileSession session(unit);
  const std::int64_t depth = depth_tiles * tiles::kDepth;
  const std::int64_t column = depth_tiles * tiles::kTileElements;
  const int column_tiles = task.columns > tiles::kColumns ? 2 : 1;
  const std::int64_t last_tiles = (depth_tiles - 1) % kPieceTiles + 1;
  StoreBeside store(task, ceil_div(kBlockRows, 2 * last_tiles));
  for (std::int64_t piece = 0; piece < depth_tiles; piece += kPieceTiles) {
    const std::int64_t piece_tiles = std::min(kPieceTiles, depth_tiles - piece);
    const bool is_last = piece + piece_tiles == depth_tiles;
    const bfloat16* right_piece = right + piece * tiles::kTileElements;
    for (std::int64_t row = 0; row < task.rows; row += kBlockRows) {
      prefetch_tile(right_piece + (kPieceTiles + row / kBlockRows) * tiles::kTileElements,
                    column_tiles, column);
      const tiles::BlockProduct product = {.row_tiles = task.rows - row > tiles::kRows ? 2 : 1,
                                           .column_tiles = column_tiles,
                                           .depth_tiles = piece_tiles,
                                           .accumulate = piece > 0,
                                           .left = left + row * depth + piece * tiles::kDepth,
                                           .left_stride = depth,
                                           .right = right_piece,
                                           .right_tile_stride = column,
                                           .sums = task.sums + row * kTaskColumns,
                                           .sums_stride = kTaskColumns};
      if (is_last) {
        store.complete(row - kBlockRows);  // the block before reaches memory during this one
        session.multiply(product, store.beside());
      } else {
        session.multiply(product);
      }
    }
  }
  session.finish();
  store.store_rest();
}

}  // namespace

TileProduct::TileProduct(std::int64_t in_width, std::int64_t out_width, const float* weight,
                         bool transposed)
    : in_width_(in_width),
      out_width_(out_width),
      depth_tiles_(ceil_div(in_width, tiles::kDepth)),
      column_tiles_(ceil_div(out_width, tiles::kColumns)),
      packed_(static_cast<std::size_t>(column_tiles_ * depth_tiles_ * tiles::kTileElements)) {
  parallel_for(column_tiles_, [&](std::int64_t tile) {
    const std::int64_t first = tile * tiles::kColumns;
    const std::int64_t last = std::min(out_width, first + tiles::kColumns);
    bfloat16* column = packed_.data() + tile * depth_tiles_ * tiles::kTileElements;
    for (std::int64_t i = 0; i < in_width; ++i) {
      bfloat16* depth_tile = column + i / tiles::kDepth * tiles::kTileElements;
      for (std::int64_t j = first; j < last; ++j) {
        depth_tile[tiles::packed_index(i % tiles::kDepth, j - first)] =
            bfloat16(weight[transposed ? j * in_width + i : i * out_width + j]);
      }
    }
  });
}

void TileProduct::forward(const tiles::TileUnit& unit, std::int64_t rows, const float* x,
                          const float* bias, float* out) const {
  const std::int64_t depth = depth_tiles_ * tiles::kDepth;
  const AlignedBuffer<bfloat16> left = rounded_rows(rows, in_width_, depth, x);
  // Tasks of the same columns one after the other: they share the weight.
  const std::int64_t down = ceil_div(rows, kTaskRows);
  parallel_for(ceil_div(column_tiles_, 2) * down, [&](std::int64_t index) {
    const std::int64_t row = index % down * kTaskRows;
    const std::int64_t column_tile = index / down * 2;
    const std::int64_t column = column_tile * tiles::kColumns;
    ProductTask task;
    task.rows = std::min(kTaskRows, rows - row);
    task.columns = std::min(kTaskColumns, out_width_ - column);
    task.bias = bias ? bias + column : nullptr;
    task.out = out + row * out_width_ + column;
    task.out_width = out_width_;
    multiply_rows(unit, depth_tiles_, left.data() + row * depth,
                  packed_.data() + column_tile * depth_tiles_ * tiles::kTileElements, task);
  });
}

}  // namespace limelight
#endif  // HWY_ONCE
