// Blocks of 4 x 4 numbers, or pairs of bf16, with rows and columns exchanged.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/simd/small_product.inl.h"

#if defined(LIMELIGHT_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_TRANSPOSE_INL_H
#undef LIMELIGHT_TRANSPOSE_INL_H
#else
#define LIMELIGHT_TRANSPOSE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Four pairs of four rows become four rows of four pairs.
inline void transpose_pairs(const std::uint32_t* from, std::int64_t from_stride, std::uint32_t* to,
                            std::int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 4; ++j) to[i * to_stride + j] = from[j * from_stride + i];
  }
#else
  const hn::FixedTag<std::uint32_t, 4> d;
  const hn::FixedTag<std::uint64_t, 2> wide;
  const auto a = hn::LoadU(d, from);
  const auto b = hn::LoadU(d, from + from_stride);
  const auto c = hn::LoadU(d, from + 2 * from_stride);
  const auto e = hn::LoadU(d, from + 3 * from_stride);
  const auto ab_lower = hn::BitCast(wide, hn::InterleaveLower(d, a, b));
  const auto ab_upper = hn::BitCast(wide, hn::InterleaveUpper(d, a, b));
  const auto ce_lower = hn::BitCast(wide, hn::InterleaveLower(d, c, e));
  const auto ce_upper = hn::BitCast(wide, hn::InterleaveUpper(d, c, e));
  const auto store = [&](auto row, std::int64_t i)
                         HWY_ATTR { hn::StoreU(hn::BitCast(d, row), d, to + i * to_stride); };
  store(hn::InterleaveLower(wide, ab_lower, ce_lower), 0);
  store(hn::InterleaveUpper(wide, ab_lower, ce_lower), 1);
  store(hn::InterleaveLower(wide, ab_upper, ce_upper), 2);
  store(hn::InterleaveUpper(wide, ab_upper, ce_upper), 3);
#endif
}

/// Four numbers of four rows become four rows of four numbers.
inline void transpose_numbers(const float* from, std::int64_t from_stride, float* to,
                              std::int64_t to_stride) {
  transpose_pairs(reinterpret_cast<const std::uint32_t*>(from), from_stride,
                  reinterpret_cast<std::uint32_t*>(to), to_stride);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
