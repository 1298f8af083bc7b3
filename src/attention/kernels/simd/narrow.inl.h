// Vectors of f32 to memory of bf16, with the bits of bfloat16(float).
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>
#include <limelight/dtype.h>

#include <cstdint>

#include "attention/kernels/simd/small_product.inl.h"

#if defined(LIMELIGHT_NARROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_NARROW_INL_H
#undef LIMELIGHT_NARROW_INL_H
#else
#define LIMELIGHT_NARROW_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Rounded to nearest even; a NaN stays one.
HWY_INLINE void narrow(V x, bfloat16* to) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::uint16_t, D> half;
  const auto bits = hn::BitCast(du, x);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto to_even = hn::Add(hn::Set(du, 0x7fffu), hn::And(upper, hn::Set(du, 1u)));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, to_even));
  const auto quiet = hn::Or(upper, hn::Set(du, 0x40u));
  const auto is_number = hn::RebindMask(du, hn::Eq(x, x));
  const auto chosen = hn::IfThenElse(is_number, rounded, quiet);
  // From 0 to 65535: the saturation of this conversion changes nothing.
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(di, chosen)), half,
             reinterpret_cast<std::uint16_t*>(to));
}

/// to[i] = row[i] * scale for i < count.
inline void narrow_row(const float* row, std::int64_t count, float scale, bfloat16* to) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    narrow(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, scale)), to + i);
  }
  for (; i < count; ++i) to[i] = bfloat16(row[i] * scale);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
