// From scores in f32 to weights in bf16.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/amx/strip_sizes.h"
#include "attention/kernels/simd/small_product.inl.h"

#if defined(LIMELIGHT_AMX_WEIGH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_WEIGH_INL_H
#undef LIMELIGHT_AMX_WEIGH_INL_H
#else
#define LIMELIGHT_AMX_WEIGH_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

using simd::HWY_NAMESPACE::D;
using simd::HWY_NAMESPACE::V;
namespace hn = hwy::HWY_NAMESPACE;

/// exp(x) within a factor of 1 +- 2^-13 where the result is a normal number, exactly 1 for 0; 0
/// below, NaN for NaN. A sixteenth of what rounding to bf16 adds, and as short as that allows.
///
/// x log2(e) = n + r with n whole and |r| <= 1/2, and 2^r = 1 + r (c1 + r (c2 + r c3)), whose
/// relative error is 1.02e-4 at most: found by iteratively reweighted least squares.
/// REQUIRES: x <= 0, or NaN.
HWY_INLINE V short_exp_of(V x) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  constexpr float kSmallest = -87.336544f;  // exp of it is the smallest normal number
  // A number of 24 bits plus this has none left for a fraction: the sum is rounded to a whole one,
  // which stands in its lowest bits, with the bias of an exponent.
  constexpr float kShift = 0x1.8p23f + 127;
  const V log2_e = hn::Set(d, 1.44269504f);
  const V shifted = hn::MulAdd(x, log2_e, hn::Set(d, kShift));
  const V whole = hn::Sub(shifted, hn::Set(d, kShift));
  const V r = hn::MulSub(x, log2_e, whole);
  V p = hn::Set(d, 0x1.c2a21ap-5f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.f00c4ep-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.62f5fap-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const V power_of_two = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kSmallest)), hn::Mul(p, power_of_two));
}

/// Pairs of bf16: `even` in the lower halves. Rounded to nearest, halves away from 0 (which takes
/// one addition, where to even takes three more). A NaN may come out as anything: the sum shows it.
HWY_INLINE V rounded_pairs(V even, V odd) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto half = hn::Set(du, 0x8000u);
  const auto lower = hn::ShiftRight<16>(hn::Add(hn::BitCast(du, even), half));
  const auto upper = hn::Add(hn::BitCast(du, odd), half);
  return hn::BitCast(d, hn::OrAnd(lower, upper, hn::Set(du, 0xffff0000u)));
}

/// row [kStripKeys]: scores become exp(score - shift), in f32 for their sum, which is returned;
/// then times `factors` (or null), and in bf16 (weight_index) in the first half of the row. A lane
/// of the sum runs over the same columns of every strip, so that columns that add 0 change no bit.
inline float weigh_scores(float shift, const float* factors, float* row) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V shifts = hn::Set(d, shift);
  V sums = hn::Zero(d);
  for (std::int64_t tile = 0; tile < kStripKeys; tile += tiles::kDepth) {
    for (std::int64_t i = tile; i < tile + tiles::kColumns; i += lanes) {
      V even = short_exp_of(hn::Sub(hn::LoadU(d, row + i), shifts));
      V odd = short_exp_of(hn::Sub(hn::LoadU(d, row + i + tiles::kColumns), shifts));
      sums = hn::Add(sums, hn::Add(even, odd));
      if (factors != nullptr) {
        even = hn::Mul(even, hn::LoadU(d, factors + i));
        odd = hn::Mul(odd, hn::LoadU(d, factors + i + tiles::kColumns));
      }
      // Two bf16 take the place of one f32: never ahead of what is still to be read.
      hn::StoreU(rounded_pairs(even, odd), d, row + i - tile / 2);
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
