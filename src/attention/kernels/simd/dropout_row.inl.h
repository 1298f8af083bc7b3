// DropoutMask's factors for many keys at once, the same to the bit.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/dropout.h"
#include "attention/kernels/simd/small_product.inl.h"
#include "attention/visibility.h"

#if defined(LIMELIGHT_DROPOUT_ROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_DROPOUT_ROW_INL_H
#undef LIMELIGHT_DROPOUT_ROW_INL_H
#else
#define LIMELIGHT_DROPOUT_ROW_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

using Words = hn::Vec<hn::RebindToUnsigned<D>>;

/// The two halves of 64-bit products.
struct WideProduct {
  Words high, low;
};

HWY_INLINE WideProduct wide_product(Words a, std::uint32_t factor) {
  const hn::RebindToUnsigned<D> d;
#if HWY_TARGET == HWY_SCALAR  // one lane has no halves
  const std::uint64_t product = std::uint64_t{hn::GetLane(a)} * factor;
  return {hn::Set(d, static_cast<std::uint32_t>(product >> 32)),
          hn::Set(d, static_cast<std::uint32_t>(product))};
#else
  const hn::Repartition<std::uint64_t, D> wide;
  const Words factors = hn::Set(d, factor);
  const auto even = hn::MulEven(a, factors);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a))), factors);
  return {hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even))),
          hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even))};
#endif
}

/// factors[j - keys.begin] = the mask's factor for each key j. Writes whole vectors: up to
/// kTileKeys floats. REQUIRES: keys lie within a tile, and begin with it.
inline void fill_dropout_factors(const DropoutMask& mask, std::int64_t row, std::int64_t query,
                                 KeyRange keys, float* factors) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  static_assert(kTileKeys % (4 * kLaneMultiple) == 0);
  const V kept = hn::Set(d, static_cast<float>(mask.kept_scale()));
  const Words dropped_below = hn::Set(du, mask.dropped_below());
  // A lane is one call of philox4x32 (dropout.h), whose four words serve four keys; the rounds are
  // those written there.
  for (std::int64_t j = keys.begin; j < keys.end; j += 4 * lanes) {
    Words c0 = hn::Iota(du, static_cast<std::uint32_t>(j >> 2));
    Words c1 = hn::Set(du, static_cast<std::uint32_t>(query));
    Words c2 = hn::Set(du, static_cast<std::uint32_t>(row));
    Words c3 = hn::Set(du, mask.stream());
    auto [k0, k1] = mask.key();
    for (int round = 0; round < kPhiloxRounds; ++round) {
      const WideProduct first = wide_product(c0, kPhiloxFactors[0]);
      const WideProduct second = wide_product(c2, kPhiloxFactors[1]);
      c0 = hn::Xor(hn::Xor(second.high, c1), hn::Set(du, k0));
      c1 = second.low;
      c2 = hn::Xor(hn::Xor(first.high, c3), hn::Set(du, k1));
      c3 = first.low;
      k0 += kPhiloxKeySteps[0];
      k1 += kPhiloxKeySteps[1];
    }
    const auto factor = [&](Words word) HWY_ATTR {
      return hn::IfThenZeroElse(hn::RebindMask(d, hn::Lt(word, dropped_below)), kept);
    };
    hn::StoreInterleaved4(factor(c0), factor(c1), factor(c2), factor(c3), d,
                          factors + (j - keys.begin));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
