// The one product behind every pass of fused attention: c [m, n] = or += a [m, k] * b [k, n], where
// b and c have contiguous rows and a has any strides (so that a transposed tile needs no copy).
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#if defined(LIMELIGHT_SMALL_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_SMALL_PRODUCT_INL_H
#undef LIMELIGHT_SMALL_PRODUCT_INL_H
#else
#define LIMELIGHT_SMALL_PRODUCT_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
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

  StridedOperand from_row(std::int64_t i) const {
    return {data + i * row_stride, row_stride, column_stride};
  }
};

/// Rows of contiguous floats.
template <class T>
struct Rows {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t i) const { return data + i * stride; }
};

enum class Product { overwrite, accumulate };

// The register tile, kTileRows x kTileVectors accumulators. A multiply-add takes 4 cycles and two
// can start in each, so 8 must be in flight. Where there are 16 registers: 6 x 2 accumulators, 2 of
// b and 1 of a are 15. Where there are 32: 6 x 4 + 4 + 1 are 29, and each load of b serves 6 rows,
// each of a 4 vectors.
inline constexpr int kTileRows = 6;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
inline constexpr int kTileVectors = 2;
#else
inline constexpr int kTileVectors = 4;
#endif

template <int kRows, int kVectors, Product kMode>
HWY_INLINE void product_tile(std::int64_t k, StridedOperand a, Rows<const float> b, Rows<float> c) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V acc[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) {
      acc[r][v] = kMode == Product::accumulate ? hn::LoadU(d, c.row(r) + v * lanes) : hn::Zero(d);
    }
  }
  for (std::int64_t l = 0; l < k; ++l) {
    V b_row[kVectors];
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) b_row[v] = hn::LoadU(d, b.row(l) + v * lanes);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V a_element = hn::Set(d, a.data[r * a.row_stride + l * a.column_stride]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(a_element, b_row[v], acc[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, c.row(r) + v * lanes);
  }
}

/// All rows of one column strip of kVectors vectors.
template <int kVectors, Product kMode>
void product_strip(std::int64_t m, std::int64_t k, StridedOperand a, Rows<const float> b,
                   Rows<float> c) {
  std::int64_t i = 0;
  const auto c_from = [&](std::int64_t row) { return Rows<float>{c.row(row), c.stride}; };
  for (; i + kTileRows <= m; i += kTileRows) {
    product_tile<kTileRows, kVectors, kMode>(k, a.from_row(i), b, c_from(i));
  }
  for (; i + 2 <= m; i += 2) product_tile<2, kVectors, kMode>(k, a.from_row(i), b, c_from(i));
  if (i < m) product_tile<1, kVectors, kMode>(k, a.from_row(i), b, c_from(i));
}

/// c [m, n] = or += a [m, k] * b [k, n]. n is rounded up to whole vectors: rows of b and c must be
/// that long. Each element of c is one chain of multiply-adds over k in order, so its bits depend
/// on its own row of a and column of b alone.
template <Product kMode>
void small_product(std::int64_t m, std::int64_t n, std::int64_t k, StridedOperand a,
                   Rows<const float> b, Rows<float> c) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  std::int64_t j = 0;
  const auto strip = [&](auto vectors) {
    constexpr int kVectors = decltype(vectors)::value;
    product_strip<kVectors, kMode>(m, k, a, {b.data + j, b.stride}, {c.data + j, c.stride});
    j += kVectors * lanes;
  };
  while (j + (kTileVectors - 1) * lanes < n) strip(std::integral_constant<int, kTileVectors>());
  if constexpr (kTileVectors == 4) {
    if (j + 2 * lanes < n) return strip(std::integral_constant<int, 3>());
    if (j + lanes < n) return strip(std::integral_constant<int, 2>());
  }
  if (j < n) strip(std::integral_constant<int, 1>());
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
