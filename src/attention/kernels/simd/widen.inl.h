// Vectors of f32 from memory of any type, exactly.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>
#include <limelight/dtype.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "attention/kernels/simd/small_product.inl.h"
#include "attention/kernels/simd/tile_sizes.h"

#if defined(LIMELIGHT_WIDEN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_WIDEN_INL_H
#undef LIMELIGHT_WIDEN_INL_H
#else
#define LIMELIGHT_WIDEN_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE V widen(const float* from) { return hn::LoadU(D(), from); }

/// A bfloat16 is the upper half of an f32.
HWY_INLINE V widen(const bfloat16* from) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint16_t, D> half;
  const auto bits = hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(du, bits)));
}

HWY_INLINE V widen(const float16* from) {
  const D d;
  const hn::Rebind<std::uint16_t, D> half;
  const auto bits = hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from));
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#else
  // Highway's own for these targets reads infinity as 65536. Moved to the place of an f32's, the
  // bits are the number times 2^-112 (also where it is denormal), and those of infinity and NaN
  // lack the upper bits of the exponent.
  const hn::RebindToUnsigned<D> du;
  const auto wide = hn::PromoteTo(du, bits);
  const auto magnitude = hn::And(wide, hn::Set(du, 0x7fffu));
  const auto moved = hn::ShiftLeft<13>(magnitude);
  const auto number = hn::BitCast(du, hn::Mul(hn::BitCast(d, moved), hn::Set(d, 0x1p112f)));
  const auto special = hn::Or(moved, hn::Set(du, 0x7f800000u));
  const auto sign = hn::ShiftLeft<16>(hn::And(wide, hn::Set(du, 0x8000u)));
  const auto is_special = hn::Gt(magnitude, hn::Set(du, 0x7bffu));
  return hn::BitCast(d, hn::Or(sign, hn::IfThenElse(is_special, special, number)));
#endif
}

HWY_INLINE V widen(const std::int8_t* from) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::int8_t, D> quarter;
  return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(quarter, from)));
}

/// Two vectors of as many numbers one after the other. (An array of them does not compile for NEON:
/// g++ makes its constructor without the instruction set.)
struct VectorPair {
  V first, second;
};

/// The numbers [from, from + 2 lanes), in whatever order is the shortest way for their type: see
/// place_in_pair.
template <class T>
HWY_INLINE VectorPair widen_pair(const T* from) {
  return {widen(from), widen(from + hn::Lanes(D()))};
}
/// Those at even places, then those at odd: the lower and the upper halves of 32 bits.
HWY_INLINE VectorPair widen_pair(const bfloat16* from) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::LoadU(du, reinterpret_cast<const std::uint32_t*>(from));
  return {hn::BitCast(d, hn::ShiftLeft<16>(bits)),
          hn::BitCast(d, hn::And(bits, hn::Set(du, 0xffff0000u)))};
}

/// Where number i of a pair of vectors of `count` numbers stands when it is read as such. What a
/// row has behind its last whole pair is read as it stands.
template <class T>
std::int64_t place_in_pair(std::int64_t i, std::int64_t count) {
  return std::is_same_v<T, bfloat16> ? i % 2 * (count / 2) + i / 2 : i;
}

/// Moves the numbers of each whole pair of vectors: move(from, to, count), `from` being a copy of
/// the `count` numbers at `to`.
template <class Move>
void move_in_pairs(std::int64_t count, float* row, const Move& move) {
  const auto pair = 2 * static_cast<std::int64_t>(hn::Lanes(D()));
  float before[2 * kLaneMultiple];
  for (std::int64_t i = 0; i + pair <= count; i += pair) {
    std::copy_n(row + i, pair, before);
    move(before, row + i, pair);
  }
}

/// Puts a row of `count` numbers in that order.
template <class T>
void order_by_pairs(std::int64_t count, float* row) {
  move_in_pairs(count, row, [](const float* from, float* to, std::int64_t pair) {
    for (std::int64_t k = 0; k < pair; ++k) to[place_in_pair<T>(k, pair)] = from[k];
  });
}

/// Puts a row that stands in that order in the order of its numbers.
template <class T>
void order_by_number(std::int64_t count, float* row) {
  move_in_pairs(count, row, [](const float* from, float* to, std::int64_t pair) {
    for (std::int64_t k = 0; k < pair; ++k) to[k] = from[place_in_pair<T>(k, pair)];
  });
}

/// row[i] = from[i] * scale for i < count.
template <class T>
void widen_row(const T* from, std::int64_t count, float scale, float* row) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V scales = hn::Set(d, scale);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Mul(widen(from + i), scales), d, row + i);
  }
  for (; i < count; ++i) row[i] = static_cast<float>(from[i]) * scale;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
