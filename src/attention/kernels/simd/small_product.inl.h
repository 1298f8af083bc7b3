// The one product behind every pass of fused attention: c [m, n] += a [m, k] * b [k, n], where b
// and c have contiguous rows and a has any strides (so that a transposed tile needs no copy).
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#if defined(LIMELIGHT_SMALL_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_SMALL_PRODUCT_INL_H
#undef LIMELIGHT_SMALL_PRODUCT_INL_H
#else
#define LIMELIGHT_SMALL_PRODUCT_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

/// A matrix read element by element: element (i, l) is data[i * row_stride + l * column_stride].
struct StridedOperand {
  const float* data;
  std::int64_t row_stride;
  std::int64_t column_stride;
};

// The register tile, kTileRows x kTileVectors accumulators. A multiply-add takes 4 cycles and two
// can start in each, so 8 must be in flight. AVX2 has 16 registers: 6 x 2 accumulators, 2 of b and
// 1 of a are 15. The others have 32: 6 x 4 + 4 + 1 are 29, and each load of b serves 6 rows, each
// of a 4 vectors.
constexpr int kTileRows = 6;
#if HWY_TARGET == HWY_AVX2
constexpr int kTileVectors = 2;
#else
constexpr int kTileVectors = 4;
#endif

/// One register tile. The last vector may be partial: `last` says which of its lanes exist.
template <int kRows, int kVectors>
HWY_INLINE void product_tile(std::int64_t k, StridedOperand a, const float* HWY_RESTRICT b,
                             std::int64_t b_stride, bool partial, hn::Mask<D> last,
                             float* HWY_RESTRICT c, std::int64_t c_stride) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto load = [&](const float* from, int v) HWY_ATTR {
    return partial && v == kVectors - 1 ? hn::MaskedLoad(last, d, from + v * lanes)
                                        : hn::LoadU(d, from + v * lanes);
  };
  V acc[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) acc[r][v] = load(c + r * c_stride, v);
  }
  for (std::int64_t l = 0; l < k; ++l) {
    V b_row[kVectors];
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) b_row[v] = load(b + l * b_stride, v);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V a_element = hn::Set(d, a.data[r * a.row_stride + l * a.column_stride]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(a_element, b_row[v], acc[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    float* row = c + r * c_stride;
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) {
      if (partial && v == kVectors - 1) {
        hn::BlendedStore(acc[r][v], last, d, row + v * lanes);
      } else {
        hn::StoreU(acc[r][v], d, row + v * lanes);
      }
    }
  }
}

/// All rows of one column strip of kVectors vectors.
template <int kVectors>
void product_strip(std::int64_t m, std::int64_t columns, std::int64_t k, StridedOperand a,
                   const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t in_last = columns - (kVectors - 1) * lanes;
  const bool partial = in_last < lanes;
  const auto last = hn::FirstN(d, static_cast<std::size_t>(in_last));
  const auto rows_from = [&](std::int64_t i) {
    return StridedOperand{a.data + i * a.row_stride, a.row_stride, a.column_stride};
  };
  std::int64_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    if (partial) {
      product_tile<kTileRows, kVectors>(k, rows_from(i), b, b_stride, true, last, c + i * c_stride,
                                        c_stride);
    } else {
      product_tile<kTileRows, kVectors>(k, rows_from(i), b, b_stride, false, last, c + i * c_stride,
                                        c_stride);
    }
  }
  for (; i < m; ++i) {
    product_tile<1, kVectors>(k, rows_from(i), b, b_stride, partial, last, c + i * c_stride,
                              c_stride);
  }
}

/// c [m, n] += a [m, k] * b [k, n]. Each element of c is one chain of multiply-adds over k in
/// order, so its bits depend on its own row of a and column of b alone.
void small_product(std::int64_t m, std::int64_t n, std::int64_t k, StridedOperand a, const float* b,
                   std::int64_t b_stride, float* c, std::int64_t c_stride) {
  if (k == 0) return;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  const std::int64_t strip = kTileVectors * lanes;
  std::int64_t j = 0;
  for (; j + strip <= n; j += strip) {
    product_strip<kTileVectors>(m, strip, k, a, b + j, b_stride, c + j, c_stride);
  }
  if (j == n) return;
  const std::int64_t rest = n - j;
  switch ((rest + lanes - 1) / lanes) {
    case 1:
      return product_strip<1>(m, rest, k, a, b + j, b_stride, c + j, c_stride);
    case 2:
      return product_strip<2>(m, rest, k, a, b + j, b_stride, c + j, c_stride);
#if HWY_TARGET != HWY_AVX2
    case 3:
      return product_strip<3>(m, rest, k, a, b + j, b_stride, c + j, c_stride);
    default:
      return product_strip<4>(m, rest, k, a, b + j, b_stride, c + j, c_stride);
#endif
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
