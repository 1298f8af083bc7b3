#include "trace/reference_layers.h"

#include <cmath>
#include <numbers>

namespace limelight {

Matrix64 reference_layer_norm(const Matrix& x, double epsilon, const float* gain,
                              const float* bias) {
  Matrix64 out(x.rows, x.columns);
  const auto width = static_cast<double>(x.columns);
  for (std::int64_t row = 0; row < x.rows; ++row) {
    double mean = 0;
    for (const float value : x.row(row)) mean += value / width;
    double variance = 0;
    for (const float value : x.row(row)) variance += (value - mean) * (value - mean) / width;
    const double inverse = 1 / std::sqrt(variance + epsilon);
    for (std::int64_t c = 0; c < x.columns; ++c) {
      out.at(row, c) = (x.at(row, c) - mean) * inverse * static_cast<double>(gain[c]) +
                       (bias ? static_cast<double>(bias[c]) : 0.0);
    }
  }
  return out;
}

Matrix64 reference_linear(const Matrix& x, const float* weight, const float* bias,
                          std::int64_t out_width, bool weight_transposed) {
  Matrix64 out(x.rows, out_width);
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t c = 0; c < out_width; ++c) {
      out.at(row, c) = bias ? static_cast<double>(bias[c]) : 0.0;
    }
    for (std::int64_t k = 0; k < x.columns; ++k) {
      const double factor = x.at(row, k);
      for (std::int64_t c = 0; c < out_width; ++c) {
        const float w = weight_transposed ? weight[c * x.columns + k] : weight[k * out_width + c];
        out.at(row, c) += factor * static_cast<double>(w);
      }
    }
  }
  return out;
}

Matrix64 reference_gelu(GeluForm form, const Matrix& x) {
  Matrix64 out = widened(x);
  for (double& v : out.values) {
    const double inner = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
    const double phi = form == GeluForm::tanh ? (1 + std::tanh(inner)) / 2
                                              : std::erfc(-v / std::numbers::sqrt2) / 2;
    v *= phi;
  }
  return out;
}

Matrix64 reference_sum(const Matrix& a, const Matrix& b) {
  Matrix64 out = widened(a);
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] += b.values[i];
  return out;
}

}  // namespace limelight
