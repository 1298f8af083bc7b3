// Pairs of bf16 as AVX512-BF16 multiplies them: beside f32, where both factors are bf16.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>
#include <limelight/dtype.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "attention/kernels/simd/widen.inl.h"

#if defined(LIMELIGHT_DOT_PAIRS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_DOT_PAIRS_INL_H
#undef LIMELIGHT_DOT_PAIRS_INL_H
#else
#define LIMELIGHT_DOT_PAIRS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// A bf16 of a cache whose products are taken in pairs.
struct PairedBfloat16 {
  bfloat16 number;
};
static_assert(sizeof(PairedBfloat16) == sizeof(bfloat16));

template <class T>
constexpr bool kPaired = std::is_same_v<T, PairedBfloat16>;

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
/// Whether kernels for this instruction set have pairs: where uses_bf16_dots() says so, too.
inline constexpr bool kHasPairs = true;

/// 32 bf16.
using Pairs = __m512i;
inline constexpr std::int64_t kPairNumbers = 32;

HWY_INLINE Pairs load_pairs(const void* from) { return _mm512_loadu_si512(from); }

/// The first `count` of them, and zeros.
HWY_INLINE Pairs load_pairs(const void* from, std::int64_t count) {
  const auto numbers =
      static_cast<__mmask32>((std::uint64_t{1} << std::min(count, kPairNumbers)) - 1);
  return _mm512_maskz_loadu_epi16(numbers, from);
}

/// The pair at `from`, in every lane.
HWY_INLINE Pairs same_pair(const bfloat16* from) {
  std::int32_t pair;
  std::memcpy(&pair, from, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

/// sum + both products of each lane (VDPBF16PS), which has an intrinsic only where all around it is
/// compiled for AVX512-BF16 as well.
HWY_INLINE V add_dots(Pairs a, Pairs b, V sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a), "v"(b));
  return sum;
}

/// Pairs (even[i], odd[i]), of the lower half of each block of 8 numbers, and of the upper.
struct WovenPairs {
  Pairs lower, upper;
};
HWY_INLINE WovenPairs weave_pairs(Pairs even, Pairs odd) {
  return {_mm512_unpacklo_epi16(even, odd), _mm512_unpackhi_epi16(even, odd)};
}

/// 32 sums, where the pairs stand whose products they are of: `lower` has blocks 0, 2, 4, 6 of four
/// of them, `upper` the others.
struct WovenSums {
  V lower, upper;
};
HWY_INLINE WovenSums weave_sums(V first, V second) {
  return {V{_mm512_shuffle_f32x4(first.raw, second.raw, 0x88)},
          V{_mm512_shuffle_f32x4(first.raw, second.raw, 0xdd)}};
}
/// The first 16 and the second.
HWY_INLINE VectorPair unweave_sums(const WovenSums& sums) {
  const __m512 first = _mm512_shuffle_f32x4(sums.lower.raw, sums.upper.raw, 0x44);  // 0 2 1 3
  const __m512 second = _mm512_shuffle_f32x4(sums.lower.raw, sums.upper.raw, 0xee);
  return {V{_mm512_shuffle_f32x4(first, first, 0xd8)},
          V{_mm512_shuffle_f32x4(second, second, 0xd8)}};
}
#else
inline constexpr bool kHasPairs = false;
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
