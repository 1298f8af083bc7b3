// The exponential of weights that are rounded to bf16, and that rounding.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>
#include <limelight/dtype.h>

#include <cstdint>

#include "attention/kernels/simd/exponential.inl.h"

#if defined(LIMELIGHT_AMX_SHORT_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_SHORT_EXP_INL_H
#undef LIMELIGHT_AMX_SHORT_EXP_INL_H
#else
#define LIMELIGHT_AMX_SHORT_EXP_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

using simd::HWY_NAMESPACE::D;
using simd::HWY_NAMESPACE::kLog2E;
using simd::HWY_NAMESPACE::V;
namespace hn = hwy::HWY_NAMESPACE;

/// 2^x within a factor of 1 +- 2^-13 where the result is a normal number, exactly 1 for 0; 0 below,
/// NaN for NaN; something huge from x = 127 on; and 0 where it is not `wanted`. A sixteenth of what
/// rounding to bf16 adds, and as short as that allows: x = n + r with n whole, and 2^r = 1 + r (c1
/// + r (c2 + r c3)). The coefficients were found by iteratively reweighted least squares.
HWY_INLINE V short_exp2_of(V x, hn::Mask<D> wanted) {
  const D d;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL  // which have instructions for n and r
  // 0 <= r < 1, relative error 8.6e-5 at most.
  const V r = V{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  V p = hn::Set(d, 0x1.3baaa6p-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.d2378ap-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.63e658p-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  // A result that is no normal number would cost hundreds of cycles to make: it is left out.
  const __mmask16 is_normal =
      _mm512_mask_cmp_ps_mask(wanted.raw, x.raw, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
  return V{_mm512_maskz_scalef_ps(is_normal, p.raw, x.raw)};
#else
  // |r| <= 1/2, relative error 1.02e-4 at most.
  const V most = hn::Set(d, 127.0f);
  x = hn::IfThenElse(hn::Gt(x, most), most, x);
  const V shifted = hn::Add(x, hn::Set(d, simd::HWY_NAMESPACE::kExponentShift));
  const V r = hn::Sub(x, simd::HWY_NAMESPACE::whole_number_of(shifted));
  V p = hn::Set(d, 0x1.c2a21ap-5f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.f00c4ep-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.62f5fap-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto is_normal = hn::Not(hn::Lt(x, hn::Set(d, -126.0f)));
  return hn::IfThenElseZero(hn::And(wanted, is_normal),
                            hn::Mul(p, simd::HWY_NAMESPACE::power_of_two(shifted)));
#endif
}
HWY_INLINE V short_exp2_of(V x) { return short_exp2_of(x, hn::FirstN(D(), hn::Lanes(D()))); }

/// exp(x), likewise.
HWY_INLINE V short_exp_of(V x, hn::Mask<D> wanted) {
  return short_exp2_of(hn::Mul(x, hn::Set(D(), kLog2E)), wanted);
}

/// Pairs of bf16: `even` in the lower halves. Rounded to nearest, halves away from 0 (which takes
/// one addition, where to even takes three more). A NaN stays one unless the 8 highest digits
/// of its fraction are 1: not the one that arithmetic makes, nor any that was bf16.
HWY_INLINE V rounded_pairs(V even, V odd) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto half = hn::Set(du, 0x8000u);
  const auto lower = hn::ShiftRight<16>(hn::Add(hn::BitCast(du, even), half));
  const auto upper = hn::Add(hn::BitCast(du, odd), half);
  return hn::BitCast(d, hn::OrAnd(lower, upper, hn::Set(du, 0xffff0000u)));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
