// Products of a few rows of f32 with rows of a cache of any type, where these lie: nothing is
// packed or transposed.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/simd/tile_sizes.h"
#include "attention/kernels/simd/widen.inl.h"

#if defined(LIMELIGHT_CACHE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_CACHE_ROWS_INL_H
#undef LIMELIGHT_CACHE_ROWS_INL_H
#else
#define LIMELIGHT_CACHE_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

// Eight accumulators, which keep both multiply-add units busy (see small_product.inl.h), leave
// registers for what is multiplied also where there are 16.
inline constexpr int kAccumulators = 8;

/// The first `count` elements of a row as a vector, and zeros: for what is left of a row behind its
/// last whole vector.
template <class T>
HWY_INLINE V widen_tail(const T* from, std::int64_t count) {
  alignas(64) float buffer[kLaneMultiple] = {};
  for (std::int64_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(from[i]);
  return hn::Load(D(), buffer);
}

/// Asks for a row that will be read soon.
template <class T>
HWY_INLINE void prefetch_row(const T* row, std::int64_t count) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < count; i += kLine) hwy::Prefetch(row + i);
}

/// sums[a] = the sum of the lanes of vectors[a], for four of them: within each block of four lanes
/// (l0 + l2) + (l1 + l3), and then block after block.
HWY_INLINE void sum_lanes_of_four(V a, V b, V c, V e, float* sums) {
#if HWY_TARGET == HWY_SCALAR
  const V vectors[] = {a, b, c, e};
  for (int i = 0; i < 4; ++i) sums[i] = hn::GetLane(vectors[i]);
#else
  const D d;
  const auto fold = [d](V x, V y) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y));
  };
  // Each block: a0+a2 c0+c2 a1+a3 c1+c3, the same of b and e; then a b c e.
  const V blocks = fold(fold(a, c), fold(b, e));
  alignas(64) float lanes[kLaneMultiple];
  hn::Store(blocks, d, lanes);
  const hn::Full128<float> block;
  auto sum = hn::Load(block, lanes);
  for (std::size_t l = 4; l < hn::Lanes(d); l += 4) sum = hn::Add(sum, hn::Load(block, lanes + l));
  hn::StoreU(sum, block, sums);
#endif
}

/// scores[r][j] = queries row r . keys[j] for kRows rows (`query_stride` apart) and keys first to
/// first + kAccumulators / kRows - 1. An element is one chain of multiply-adds in each lane over
/// the row in order, whatever kRows is.
template <int kRows, class T>
HWY_INLINE void dot_group(std::int64_t dim, const float* queries, std::int64_t query_stride,
                          const T* const* keys, float* scores, std::int64_t score_stride) {
  constexpr int kKeys = kAccumulators / kRows;
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V acc[kRows * kKeys];
  HWY_UNROLL(8)
  for (int a = 0; a < kRows * kKeys; ++a) acc[a] = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    V key[kKeys];
    HWY_UNROLL(8)
    for (int j = 0; j < kKeys; ++j) key[j] = widen(keys[j] + i);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V query = hn::LoadU(d, queries + r * query_stride + i);
      HWY_UNROLL(8)
      for (int j = 0; j < kKeys; ++j) {
        acc[r * kKeys + j] = hn::MulAdd(query, key[j], acc[r * kKeys + j]);
      }
    }
  }
  if (i < dim) {
    for (int j = 0; j < kKeys; ++j) {
      const V key = widen_tail(keys[j] + i, dim - i);
      for (int r = 0; r < kRows; ++r) {
        V& sum = acc[r * kKeys + j];
        sum = hn::MulAdd(hn::LoadU(d, queries + r * query_stride + i), key, sum);
      }
    }
  }
  float sums[kAccumulators];
  sum_lanes_of_four(acc[0], acc[1], acc[2], acc[3], sums);
  sum_lanes_of_four(acc[4], acc[5], acc[6], acc[7], sums + 4);
  HWY_UNROLL(8)
  for (int a = 0; a < kRows * kKeys; ++a) scores[a / kKeys * score_stride + a % kKeys] = sums[a];
}

/// context[r] += sum over j < count of weights[r][j] * values[j], for kRows rows. An element is one
/// chain of multiply-adds over j in order, whatever kRows is.
template <int kRows, class T>
struct ContextSum {
  std::int64_t dim;
  std::int64_t count;
  const float* weights;
  std::int64_t weight_stride;
  const T* const* values;
  float* context[kRows];
  /// Rows that will be read next, of `dim` elements or so: asked for while this computes, or null.
  const T* const* soon = nullptr;
  std::int64_t soon_count = 0;

  /// Vectors i to i + kVectors - 1 (in elements) of each row.
  template <int kVectors, class Load>
  HWY_INLINE void add_strip(std::int64_t i, const Load& load) const {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    V acc[kRows][kVectors];
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::LoadU(d, context[r] + i + v * lanes);
    }
    for (std::int64_t j = 0; j < count; ++j) {
      V value[kVectors];
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) value[v] = load(values[j] + i + v * lanes);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        const V weight = hn::Set(d, weights[r * weight_stride + j]);
        HWY_UNROLL(8)
        for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::MulAdd(weight, value[v], acc[r][v]);
      }
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, context[r] + i + v * lanes);
    }
  }

  void add() const {
    constexpr int kVectors = kAccumulators / kRows;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    const auto whole = [](const T* from) HWY_ATTR { return widen(from); };
    const std::int64_t strips = dim / (kVectors * lanes);
    std::int64_t i = 0;
    for (std::int64_t strip = 0; strip < strips; ++strip, i += kVectors * lanes) {
      for (std::int64_t j = soon_count * strip / strips; j < soon_count * (strip + 1) / strips;
           ++j) {
        prefetch_row(soon[j], dim);
      }
      add_strip<kVectors>(i, whole);
    }
    for (; i + lanes <= dim; i += lanes) add_strip<1>(i, whole);
    if (i == dim) return;
    const std::int64_t rest = dim - i;
    add_strip<1>(i, [rest](const T* from) HWY_ATTR { return widen_tail(from, rest); });
  }
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
