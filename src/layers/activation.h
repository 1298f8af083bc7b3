#pragma once

#include <cstdint>

namespace limelight {

/// The two forms of GELU (Hendrycks and Gimpel 2016): x * Phi(x) exactly, and its tanh
/// approximation, which GPT-2 uses.
enum class GeluForm : std::uint8_t { exact, tanh };

/// out[i] = gelu(x[i]). Largest error against float64 is stated in activation.cpp and tested.
void gelu_forward(GeluForm form, std::int64_t count, const float* x, float* out);

/// grad_x[i] = grad_out[i] * gelu'(x[i]); grad_x may be grad_out.
void gelu_backward(GeluForm form, std::int64_t count, const float* x, const float* grad_out,
                   float* grad_x);

/// out[i] = x[i] * sigmoid(x[i]), also called swish.
void silu_forward(std::int64_t count, const float* x, float* out);
void silu_backward(std::int64_t count, const float* x, const float* grad_out, float* grad_x);

/// out[i] = a[i] + b[i]; out may be a or b. The residual stream's one operation.
void add(std::int64_t count, const float* a, const float* b, float* out);

}  // namespace limelight
