#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace limelight {

/// The element types a tensor can have. Arithmetic is done in f32, bf16, f16 and f64; the others
/// are what files, masks and token ids hold.
enum class DType : std::uint8_t {
  f64,
  f32,
  bf16,
  f16,
  boolean,  ///< one byte, 0 or 1
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  f8_e5m2,
  f8_e4m3,
};

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::u64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::u32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
    case DType::u16:
    case DType::i16:
      return 2;
    case DType::boolean:
    case DType::u8:
    case DType::i8:
    case DType::f8_e5m2:
    case DType::f8_e4m3:
      return 1;
  }
  return 0;
}

/// "f32", "bf16", ...
std::string_view name_of(DType dtype);

/// The upper half of a binary32: 8 bits of exponent, 8 of significand. Conversion rounds to nearest
/// even and keeps NaN a NaN.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  explicit bfloat16(float value);
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// IEEE 754 binary16. Conversion rounds to nearest even, overflows to infinity, keeps denormals.
struct float16 {
  std::uint16_t bits = 0;

  float16() = default;
  explicit float16(float value);
  explicit operator float() const;
};

/// The DType of a C++ type.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<float16> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <class T>
inline constexpr DType kDTypeOf = DTypeOf<T>::value;

}  // namespace limelight
