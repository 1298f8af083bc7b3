#pragma once

#include <limelight/tensor.h>

#include <cstdint>

namespace limelight {

/// One element of memory of any type that arithmetic is done in, as a double.
/// REQUIRES: dtype is f64, f32, bf16 or f16.
double read_number(const void* data, DType dtype, std::int64_t index);
void write_number(void* data, DType dtype, std::int64_t index, double value);

/// REQUIRES: dtype is i32 or i64.
std::int64_t read_integer(const void* data, DType dtype, std::int64_t index);
void write_integer(void* data, DType dtype, std::int64_t index, std::int64_t value);

/// f64, f32, bf16 or f16.
constexpr bool is_number(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

}  // namespace limelight
