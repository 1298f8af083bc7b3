// The products of cache_rows.inl.h where queries, cache and out are all bf16 and the processor
// multiplies them in pairs: nothing is widened, and a multiply-add takes half an instruction.
// Weights are rounded to bf16, as on tiles.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "attention/kernels/simd/cache_rows.inl.h"
#include "attention/kernels/simd/decode_readings.h"
#include "attention/kernels/simd/dot_pairs.inl.h"
#include "attention/kernels/simd/narrow.inl.h"

#if defined(LIMELIGHT_PAIRED_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_PAIRED_ROWS_INL_H
#undef LIMELIGHT_PAIRED_ROWS_INL_H
#else
#define LIMELIGHT_PAIRED_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

/// scores[r][j] = queries row r . keys[j], queries being rows of bf16 with zeros up to whole
/// vectors.
template <int kRows>
class DotGroups<kRows, PairedBfloat16> {
 public:
  static constexpr int kKeys = kAccumulators / kRows;

  /// `query_stride` in floats, whose memory they stand in.
  DotGroups(std::int64_t dim, const float* queries, std::int64_t query_stride)
      : dim_(dim), queries_(queries), query_stride_(query_stride) {}

  HWY_NOINLINE void multiply(KeyRange range, const PairedBfloat16* const* keys,
                             ReadAhead<PairedBfloat16> ahead, float* scores,
                             std::int64_t score_stride) const {
    for (std::int64_t j = range.begin / kKeys * kKeys; j < range.end; j += kKeys) {
      V acc[kAccumulators];
      HWY_UNROLL(16)
      for (int a = 0; a < kAccumulators; ++a) acc[a] = hn::Zero(D());
      std::int64_t i = 0;
      for (; i + kPairNumbers <= dim_; i += kPairNumbers) {
        ahead.ask(kKeys * kPairNumbers);
        add_numbers(i, acc, [&](int k) HWY_ATTR { return load_pairs(keys[j + k] + i); });
      }
      if (i < dim_) {
        add_numbers(i, acc, [&](int k) HWY_ATTR { return load_pairs(keys[j + k] + i, dim_ - i); });
      }
      store_sums<kRows>(acc, scores + j, score_stride);
    }
  }

 private:
  /// acc += the products of numbers [i, i + kPairNumbers) of all queries and keys.
  template <class Key>
  HWY_INLINE void add_numbers(std::int64_t i, V* acc, const Key& key) const {
    Pairs queries[kRows];
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) queries[r] = load_pairs(queries_ + r * query_stride_ + i / 2);
    HWY_UNROLL(16)
    for (int k = 0; k < kKeys; ++k) {
      const Pairs numbers = key(k);
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) {
        acc[r * kKeys + k] = add_dots(queries[r], numbers, acc[r * kKeys + k]);
      }
    }
  }

  std::int64_t dim_;
  const float* queries_;
  std::int64_t query_stride_;
};

/// context[r] += sum over j < count of weights[r][j], rounded to bf16, * values[j]: two keys at a
/// time. REQUIRES: count <= kDecodeTile.
template <int kRows>
struct ContextSum<kRows, PairedBfloat16> {
  std::int64_t dim;
  std::int64_t count;
  const float* weights;
  std::int64_t weight_stride;
  const PairedBfloat16* const* values;
  float* context[kRows];

  HWY_NOINLINE void add(ReadAhead<PairedBfloat16> ahead) const {
    alignas(64) bfloat16 rounded[kRows * kDecodeTile];
    for (int r = 0; r < kRows; ++r) {
      narrow_row(weights + r * weight_stride, count, 1, rounded + r * kDecodeTile);
      if (count % 2 != 0) rounded[r * kDecodeTile + count] = bfloat16();
    }
    std::int64_t i = 0;
    add_strips<kAccumulators / kRows / 2>(i, rounded, ahead);
    if (i < dim) add_strip<1, true>(i, rounded, ahead);
  }

 private:
  /// As many vectors of numbers at a time as there are accumulators for, then half as many.
  template <int kVectors>
  HWY_INLINE void add_strips(std::int64_t& i, const bfloat16* rounded,
                             ReadAhead<PairedBfloat16>& ahead) const {
    for (; i + kVectors * kPairNumbers <= dim; i += kVectors * kPairNumbers) {
      add_strip<kVectors, false>(i, rounded, ahead);
    }
    if constexpr (kVectors > 1) add_strips<kVectors / 2>(i, rounded, ahead);
  }

  /// Numbers [i, i + kVectors * kPairNumbers); where `kTail`, those that there are.
  template <int kVectors, bool kTail>
  HWY_INLINE void add_strip(std::int64_t i, const bfloat16* rounded,
                            ReadAhead<PairedBfloat16>& ahead) const {
    WovenSums acc[kRows][kVectors];
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = load_context<kTail>(r, i + v * kPairNumbers);
    }
    const auto numbers = [&](std::int64_t j, int v) HWY_ATTR {
      const PairedBfloat16* from = values[j] + i + v * kPairNumbers;
      return kTail ? load_pairs(from, dim - i) : load_pairs(from);
    };
    // Of key j and a second one, `odd`.
    const auto add_pair = [&](std::int64_t j, const auto& odd) HWY_ATTR {
      Pairs weight[kRows];
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) weight[r] = same_pair(rounded + r * kDecodeTile + j);
      ahead.ask(kVectors * kPairNumbers);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) {
        const WovenPairs pairs = weave_pairs(numbers(j, v), odd(v));
        HWY_UNROLL(4)
        for (int r = 0; r < kRows; ++r) {
          acc[r][v].lower = add_dots(weight[r], pairs.lower, acc[r][v].lower);
          acc[r][v].upper = add_dots(weight[r], pairs.upper, acc[r][v].upper);
        }
      }
    };
    std::int64_t j = 0;
    for (; j + 2 <= count; j += 2) {
      ahead.ask(kVectors * kPairNumbers);
      add_pair(j, [&](int v) HWY_ATTR { return numbers(j + 1, v); });
    }
    // A last one without a second: zeros, since 0 times what stands there might not be 0.
    if (j < count) add_pair(j, [](int) HWY_ATTR { return _mm512_setzero_si512(); });
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) {
        store_context<kTail>(acc[r][v], r, i + v * kPairNumbers);
      }
    }
  }

  /// Places of context [i, i + kPairNumbers), of which those from `dim` on are not there.
  template <bool kTail>
  HWY_INLINE WovenSums load_context(int r, std::int64_t i) const {
    const D d;
    const float* from = context[r] + i;
    if constexpr (!kTail) return weave_sums(hn::LoadU(d, from), hn::LoadU(d, from + hn::Lanes(d)));
    alignas(64) float numbers[kPairNumbers] = {};
    std::copy_n(from, dim - i, numbers);
    return weave_sums(hn::Load(d, numbers), hn::Load(d, numbers + hn::Lanes(d)));
  }
  template <bool kTail>
  HWY_INLINE void store_context(const WovenSums& sums, int r, std::int64_t i) const {
    const D d;
    float* to = context[r] + i;
    const auto [first, second] = unweave_sums(sums);
    if constexpr (!kTail) {
      hn::StoreU(first, d, to);
      hn::StoreU(second, d, to + hn::Lanes(d));
    } else {
      alignas(64) float numbers[kPairNumbers];
      hn::Store(first, d, numbers);
      hn::Store(second, d, numbers + hn::Lanes(d));
      std::copy_n(numbers, dim - i, to);
    }
  }
};

#endif  // instruction sets that may have pairs

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
