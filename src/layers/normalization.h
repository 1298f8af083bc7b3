#pragma once

#include <cstdint>

namespace limelight {

/// out = (x - mean) / sqrt(variance + epsilon) * gain + bias, over each row of x [rows, width]
/// (Ba et al. 2016). gain and bias may be null (1 and 0). mean and inverse_deviation [rows] are
/// written for the backward.
void layer_norm_forward(std::int64_t rows, std::int64_t width, float epsilon, const float* x,
                        const float* gain, const float* bias, float* out, float* mean,
                        float* inverse_deviation);

/// ADDS to grad_x, grad_gain and grad_bias (the last two unless null).
void layer_norm_backward(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                         const float* mean, const float* inverse_deviation, const float* grad_out,
                         float* grad_x, float* grad_gain, float* grad_bias);

/// out = x / sqrt(mean(x^2) + epsilon) * gain (Zhang and Sennrich 2019); inverse_rms [rows] is
/// written for the backward.
void rms_norm_forward(std::int64_t rows, std::int64_t width, float epsilon, const float* x,
                      const float* gain, float* out, float* inverse_rms);

/// ADDS to grad_x and grad_gain (unless null).
void rms_norm_backward(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                       const float* inverse_rms, const float* grad_out, float* grad_x,
                       float* grad_gain);

}  // namespace limelight
