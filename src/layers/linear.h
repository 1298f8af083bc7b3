#pragma once

#include <cstdint>

namespace limelight {

/// out [rows, out_width] = x [rows, in_width] * weight + bias. All matrices are contiguous and
/// row-major; weight is [in_width, out_width] (GPT-2's Conv1D); bias may be null.
struct LinearShape {
  std::int64_t rows;
  std::int64_t in_width;
  std::int64_t out_width;
  /// The weight is stored [out_width, in_width] instead (an embedding used as output projection).
  bool weight_transposed = false;
};

void linear_forward(const LinearShape& shape, const float* x, const float* weight,
                    const float* bias, float* out);

/// Given grad_out: overwrites grad_x (unless null), and ADDS to grad_weight and grad_bias (unless
/// null).
void linear_backward(const LinearShape& shape, const float* x, const float* weight,
                     const float* grad_out, float* grad_x, float* grad_weight, float* grad_bias);

}  // namespace limelight
