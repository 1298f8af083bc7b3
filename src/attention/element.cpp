#include "attention/element.h"

namespace limelight {

double read_number(const void* data, DType dtype, std::int64_t index) {
  switch (dtype) {
    case DType::f64:
      return static_cast<const double*>(data)[index];
    case DType::bf16:
      return static_cast<float>(static_cast<const bfloat16*>(data)[index]);
    case DType::f16:
      return static_cast<float>(static_cast<const float16*>(data)[index]);
    default:
      return static_cast<const float*>(data)[index];
  }
}

void write_number(void* data, DType dtype, std::int64_t index, double value) {
  switch (dtype) {
    case DType::f64:
      static_cast<double*>(data)[index] = value;
      return;
    case DType::bf16:
      static_cast<bfloat16*>(data)[index] = bfloat16(static_cast<float>(value));
      return;
    case DType::f16:
      static_cast<float16*>(data)[index] = float16(static_cast<float>(value));
      return;
    default:
      static_cast<float*>(data)[index] = static_cast<float>(value);
  }
}

std::int64_t read_integer(const void* data, DType dtype, std::int64_t index) {
  return dtype == DType::i32 ? static_cast<const std::int32_t*>(data)[index]
                             : static_cast<const std::int64_t*>(data)[index];
}

void write_integer(void* data, DType dtype, std::int64_t index, std::int64_t value) {
  if (dtype == DType::i32) {
    static_cast<std::int32_t*>(data)[index] = static_cast<std::int32_t>(value);
  } else {
    static_cast<std::int64_t*>(data)[index] = value;
  }
}

}  // namespace limelight
