#pragma once

#include "layers/activation.h"
#include "trace/matrix.h"

namespace limelight {

// The layers around attention in float64, written from their formulas and sharing no code with the
// engine's: what a trace is proven against.

/// (x - mean) / sqrt(variance + epsilon) * gain + bias; bias may be null.
Matrix64 reference_layer_norm(const Matrix& x, double epsilon, const float* gain,
                              const float* bias);

/// x * weight + bias; weight is [x.columns, out_width], or [out_width, x.columns] when transposed.
Matrix64 reference_linear(const Matrix& x, const float* weight, const float* bias,
                          std::int64_t out_width, bool weight_transposed = false);

Matrix64 reference_gelu(GeluForm form, const Matrix& x);

Matrix64 reference_sum(const Matrix& a, const Matrix& b);

}  // namespace limelight
