#pragma once

#include <cstdint>
#include <span>

namespace limelight {

/// out = softmax of each row of x [rows, width], the row's maximum subtracted first; out may be x.
void softmax_forward(std::int64_t rows, std::int64_t width, const float* x, float* out);
/// out = x - log(sum(exp(x))) by row.
void log_softmax_forward(std::int64_t rows, std::int64_t width, const float* x, float* out);

/// losses[r] = -log softmax(logits[r])[targets[r]], for logits [rows, width], in nats. A target
/// below 0 is ignored: loss 0. When grad_logits is not null it gets the gradient of the SUM of
/// losses times grad_scale: (softmax - one_hot) * grad_scale, 0 for ignored rows; it may be logits.
void cross_entropy(std::int64_t rows, std::int64_t width, const float* logits,
                   std::span<const std::int32_t> targets, float grad_scale, float* losses,
                   float* grad_logits);

}  // namespace limelight
