#include <limelight/dtype.h>

#include <cmath>

namespace limelight {

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::boolean:
      return "bool";
    case DType::u8:
      return "u8";
    case DType::i8:
      return "i8";
    case DType::u16:
      return "u16";
    case DType::i16:
      return "i16";
    case DType::u32:
      return "u32";
    case DType::i32:
      return "i32";
    case DType::u64:
      return "u64";
    case DType::i64:
      return "i64";
    case DType::f8_e5m2:
      return "f8_e5m2";
    case DType::f8_e4m3:
      return "f8_e4m3";
  }
  return "unknown";
}

bfloat16::bfloat16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    bits = static_cast<std::uint16_t>((word >> 16) | 0x0040u);  // quiet, so that it stays a NaN
    return;
  }
  const std::uint32_t round_to_even = 0x7fffu + ((word >> 16) & 1u);
  bits = static_cast<std::uint16_t>((word + round_to_even) >> 16);
}

float16::float16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((word >> 16) & 0x8000u);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) {
    bits = sign | 0x7e00u;
  } else if (magnitude >= 65520.0f) {  // halfway between the largest finite value and 2^16
    bits = sign | 0x7c00u;
  } else if (magnitude < 0x1p-14f) {
    // Below the smallest normal every value is a multiple of 2^-24; the integer rounds to even.
    bits = sign | static_cast<std::uint16_t>(std::nearbyint(magnitude * 0x1p24f));
  } else {
    // Rebias the exponent (127 to 15), round the 13 bits that go; a carry moves up as it should.
    const std::uint32_t rebiased = (word & 0x7fffffffu) - (112u << 23);
    const std::uint32_t round_to_even = 0x0fffu + ((rebiased >> 13) & 1u);
    bits = sign | static_cast<std::uint16_t>((rebiased + round_to_even) >> 13);
  }
}

float16::operator float() const {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t biased = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (biased << 23) | (fraction << 13));
}

}  // namespace limelight
