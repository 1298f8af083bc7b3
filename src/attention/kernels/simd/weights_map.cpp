// A rectangle of the matrix of weights in cells, which hold their sum, mean or maximum.

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention/kernels/simd/weights_block.h"
#include "base/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/weights_map.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/weights_block.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_WEIGHTS_MAP_TYPES
#define LIMELIGHT_SIMD_WEIGHTS_MAP_TYPES
namespace limelight::simd {

/// Most rows and columns of cells of a band: their sums, 256 x 128 doubles, are 256 KiB, in L2.
inline constexpr std::int64_t kBandRows = 256;
inline constexpr std::int64_t kBandColumns = 128;

/// A piece of work: cells [rows) x [columns) of a head. What lies on the edge of two bands is
/// computed for both.
struct CellBand {
  std::int64_t batch, head;
  KeyRange rows, columns;

  std::int64_t width() const { return columns.end - columns.begin; }
};

/// A column of a tile has this much of itself in a cell of the band.
struct ColumnShare {
  std::int64_t column, cell;
  double coverage;
};

/// A band's own memory.
struct BandScratch {
  double* cells;        ///< [rows, columns] of the band
  ColumnShare* shares;  ///< of a tile: each column meets its cells
  float* strip;         ///< [kTileKeys]: a row of cells of a block, column by column

  /// A column has a part in one cell more than the ends of cells that fall within it, or stands
  /// alone in those of the band.
  static constexpr std::int64_t kMostShares = kTileKeys + kBandColumns;
  static constexpr std::int64_t kFloats =
      (kBandRows * kBandColumns * sizeof(double) + kMostShares * sizeof(ColumnShare)) /
          sizeof(float) +
      kTileKeys;
  explicit BandScratch(float* memory)
      : cells(reinterpret_cast<double*>(memory)),
        shares(reinterpret_cast<ColumnShare*>(cells + kBandRows * kBandColumns)),
        strip(reinterpret_cast<float*>(shares + kMostShares)) {}
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// strip += coverage * row.
void add_row(std::int64_t width, float coverage, const float* row, float* strip) {
  const D d;
  const V coverages = hn::Set(d, coverage);
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::MulAdd(coverages, hn::LoadU(d, row + i), hn::LoadU(d, strip + i)), d, strip + i);
  });
}

/// strip = max(strip, row), NaN where either is.
void maximise_row(std::int64_t width, const float* row, float* strip) {
  const D d;
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    const V most = hn::LoadU(d, strip + i);
    const V weight = hn::LoadU(d, row + i);
    // Not by Ne, which is false of a NaN where Highway is for x86.
    const auto keep = hn::Or(hn::Ge(most, weight), hn::Not(hn::Eq(most, most)));
    hn::StoreU(hn::IfThenElse(keep, most, weight), d, strip + i);
  });
}

/// Adds blocks of weights to the cells of a band: rows of cells through a strip in f32, for the at
/// most kMostBlockQueries rows that a block has of it, then in f64.
class BandSums {
 public:
  BandSums(const WeightsMap& asked, const CellBand& band, const BandScratch& scratch)
      : asked_(asked), band_(band), scratch_(scratch) {
    std::fill_n(scratch.cells, (band.rows.end - band.rows.begin) * band.width(), 0.0);
  }

  /// To be called before the blocks of a tile of keys: columns first to first + count - 1 of the
  /// rectangle.
  void begin_tile(std::int64_t first, std::int64_t count) {
    width_ = padded(count);
    share_count_ = 0;
    const CellAxis& axis = asked_.columns;
    for (std::int64_t c = 0; c < count; ++c) {
      const std::int64_t begin = std::max(axis.first_cell(first + c), band_.columns.begin);
      const std::int64_t end = std::min(axis.end_cell(first + c), band_.columns.end);
      for (std::int64_t cell = begin; cell < end; ++cell) {
        scratch_.shares[share_count_++] = {c, cell - band_.columns.begin,
                                           axis.coverage(first + c, cell)};
      }
    }
  }

  void add_block(const QuerySpots& queries, const float* weights) {
    std::int64_t open = -1;  // the row of cells that the strip is of
    for (std::int64_t r = 0; r < queries.count; ++r) {
      const std::int64_t i = queries.position[r];
      const std::int64_t begin = std::max(asked_.rows.first_cell(i), band_.rows.begin);
      const std::int64_t end = std::min(asked_.rows.end_cell(i), band_.rows.end);
      for (std::int64_t cell = begin; cell < end; ++cell) {
        if (cell != open) {
          if (open >= 0) close_strip(open);
          std::fill_n(scratch_.strip, width_, 0.0f);
          open = cell;
        }
        const float* row = weights + r * kTileKeys;
        if (asked_.value == CellValue::max) {
          maximise_row(width_, row, scratch_.strip);
        } else {
          add_row(width_, static_cast<float>(asked_.rows.coverage(i, cell)), row, scratch_.strip);
        }
      }
    }
    if (open >= 0) close_strip(open);
  }

  void write() const {
    const TensorView& out = asked_.out;
    for (std::int64_t r = band_.rows.begin; r < band_.rows.end; ++r) {
      const std::int64_t row = row_offset(out, band_.batch, band_.head, r);
      for (std::int64_t c = band_.columns.begin; c < band_.columns.end; ++c) {
        write_number(out.raw(), out.dtype(), row + c * out.stride(3),
                     cell_row(r)[c - band_.columns.begin] * asked_.scale());
      }
    }
  }

 private:
  double* cell_row(std::int64_t row) const {
    return scratch_.cells + (row - band_.rows.begin) * band_.width();
  }

  void close_strip(std::int64_t row) {
    double* cells = cell_row(row);
    for (std::int64_t s = 0; s < share_count_; ++s) {
      const ColumnShare& share = scratch_.shares[s];
      const double value = scratch_.strip[share.column];
      double& cell = cells[share.cell];
      if (asked_.value == CellValue::max) {
        cell = std::isnan(cell) || cell >= value ? cell : value;
      } else {
        cell += share.coverage * value;
      }
    }
  }

  const WeightsMap& asked_;
  const CellBand& band_;
  const BandScratch& scratch_;
  std::int64_t width_ = 0;
  std::int64_t share_count_ = 0;
};

void map_band(const WeightsKernelCall& call, const WeightsMap& asked, const CellBand& band,
              const WeightsScratch& scratch, float* own) {
  const BandScratch band_scratch(own);
  BandSums sums(asked, band, band_scratch);
  const CellAxis& rows = asked.rows;
  const CellAxis& columns = asked.columns;
  const Places all_queries({asked.first_query, asked.first_query + rows.length, {}}, 0);
  const Places all_keys({asked.first_key, asked.first_key + columns.length, {}}, 0);
  for (const Sequence& sequence : call.kernel.visibility.sequences()) {
    if (sequence.batch != band.batch) continue;
    const HeadPlace place = {sequence, band.head};
    const std::int64_t end_key = columns.end_element(band.columns.end);
    for (std::int64_t j = columns.first_element(band.columns.begin); j < end_key;) {
      const KeySpots keys =
          take_spots<kTileKeys>(all_keys, sequence.first_key, sequence.kv_len, end_key, j);
      if (keys.count == 0) break;
      pack_keys(call, place, keys, scratch);
      sums.begin_tile(keys.position[0], keys.count);
      const std::int64_t end_query = rows.end_element(band.rows.end);
      for (std::int64_t i = rows.first_element(band.rows.begin); i < end_query;) {
        const QuerySpots queries = take_spots<kMostBlockQueries>(
            all_queries, sequence.first_query, sequence.q_len, end_query, i, call.block_queries());
        if (queries.count == 0) break;
        if (!weigh_block(call, place, queries, keys, scratch)) continue;
        sums.add_block(queries, scratch.weights);
      }
    }
  }
  sums.write();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(map_band);

/// As many cells as hold about this many elements; at least one, at most `most`.
std::int64_t cells_of_band(const CellAxis& axis, std::int64_t elements, std::int64_t most) {
  if (axis.length == 0) return 1;
  const double cells = static_cast<double>(elements) * axis.cells_per_element();
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(cells), 1, most);
}

std::vector<CellBand> list_bands(const AttentionShape& shape, const WeightsMap& asked) {
  const std::int64_t height = cells_of_band(asked.rows, kPanelQueries, kBandRows);
  const std::int64_t width = cells_of_band(asked.columns, kTileKeys, kBandColumns);
  std::vector<CellBand> bands;
  for (std::int64_t head = 0; head < shape.batch * shape.num_heads; ++head) {
    for (std::int64_t r = 0; r < asked.rows.cells; r += height) {
      for (std::int64_t c = 0; c < asked.columns.cells; c += width) {
        bands.push_back({head / shape.num_heads,
                         head % shape.num_heads,
                         {r, std::min(r + height, asked.rows.cells)},
                         {c, std::min(c + width, asked.columns.cells)}});
      }
    }
  }
  return bands;
}

}  // namespace

void answer(const WeightsCall& call, const WeightsMap& asked) {
  const WeightsKernelCall kernel_call(call);
  const std::vector<CellBand> bands = list_bands(call.shape, asked);
  const double work = static_cast<double>(call.shape.batch * call.shape.num_heads) *
                      static_cast<double>(asked.rows.length) *
                      static_cast<double>(asked.columns.length) *
                      static_cast<double>(call.shape.head_dim);
  const auto map = LIMELIGHT_DISPATCH(map_band);
  for_each_piece_of_weights(kernel_call, std::ssize(bands), work, BandScratch::kFloats,
                            [&](std::int64_t index, const WeightsScratch& scratch, float* own) {
                              map(kernel_call, asked, bands[static_cast<std::size_t>(index)],
                                  scratch, own);
                            });
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
