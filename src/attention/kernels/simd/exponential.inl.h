// Exponentials of vectors, and what is made of them.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "attention/kernels/simd/small_product.inl.h"

#if defined(LIMELIGHT_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_EXPONENTIAL_INL_H
#undef LIMELIGHT_EXPONENTIAL_INL_H
#else
#define LIMELIGHT_EXPONENTIAL_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

inline constexpr float kLog2E = 1.44269504f;

/// A number of 24 bits plus this has none left for a fraction: the sum is rounded to a whole
/// number, which stands in its lowest bits, with the bias of an exponent.
inline constexpr float kExponentShift = 0x1.8p23f + 127;

/// What such a sum was rounded to.
HWY_INLINE V whole_number_of(V shifted) { return hn::Sub(shifted, hn::Set(D(), kExponentShift)); }

/// 2 to that power.
HWY_INLINE V power_of_two(V shifted) {
  const hn::RebindToUnsigned<D> du;
  return hn::BitCast(D(), hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
}

/// exp(x) to 1.2 units in the last place where the result is a normal number; 0 below, NaN for NaN,
/// exactly 1 for 0. x = n ln 2 + r with n whole and ln 2 in two parts (Cody and Waite); exp(r) =
/// 1 + r (1 + r (c2 + r (c3 + ...))), whose coefficients were found by iteratively reweighted least
/// squares (relative error 3.1e-9).
/// REQUIRES: x < 88 or NaN, or infinite (exp(+infinity) is not asked for: it comes out as NaN).
HWY_INLINE V exp_of(V x) {
  const D d;
  constexpr float kSmallest = -87.336544f;  // exp of it is the smallest normal number
  const V shifted = hn::MulAdd(x, hn::Set(d, kLog2E), hn::Set(d, kExponentShift));
  const V n = whole_number_of(shifted);
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 0x1.6a23d0p-10f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.123a20p-7f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.5558f2p-5f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.555492p-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.fffffcp-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kSmallest)), hn::Mul(p, power_of_two(shifted)));
}

HWY_INLINE V tanh_of(V x) {
  const D d;
  return hn::IfThenElse(hn::Eq(x, x), hn::Tanh(d, x), x);  // NaN stays NaN
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
