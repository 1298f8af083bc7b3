#include "layers/normalization.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "layers/row_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "layers/normalization.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

// Both norms are n = (x - mean) * inverse, out = n * gain + bias; RMSNorm has mean 0 and no bias.

HWY_BEFORE_NAMESPACE();
namespace limelight {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

/// The sum of term(i) over whole vectors by lanes, then of term_1(i) over the rest.
template <class Term, class Term1>
float sum_over(std::int64_t width, const Term& term, const Term1& term_1) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) sums = hn::Add(sums, term(i));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < width; ++i) sum += term_1(i);
  return sum;
}

float row_mean(std::int64_t width, const float* x) {
  const D d;
  const float sum = sum_over(
      width, [&](std::int64_t i) { return hn::LoadU(d, x + i); },
      [&](std::int64_t i) { return x[i]; });
  return sum / static_cast<float>(width);
}

float row_variance(std::int64_t width, const float* x, float mean) {
  const D d;
  const V means = hn::Set(d, mean);
  const float sum = sum_over(
      width,
      [&](std::int64_t i) {
        const V centred = hn::Sub(hn::LoadU(d, x + i), means);
        return hn::Mul(centred, centred);
      },
      [&](std::int64_t i) { return (x[i] - mean) * (x[i] - mean); });
  return sum / static_cast<float>(width);
}

void normalize_row(std::int64_t width, const float* x, float mean, float inverse, const float* gain,
                   const float* bias, float* out) {
  for (std::int64_t i = 0; i < width; ++i) {
    const float normal = (x[i] - mean) * inverse;
    out[i] = normal * (gain ? gain[i] : 1.0f) + (bias ? bias[i] : 0.0f);
  }
}

/// ADDS to grad_x: inverse * (g - mean(g) - n * mean(g n)) with g = grad_out * gain; RMSNorm (not
/// `centred`) leaves mean(g) out, since it subtracts no mean.
void normalize_row_backward(std::int64_t width, const float* x, float mean, float inverse,
                            const float* gain, const float* grad_out, bool centred, float* grad_x) {
  const D d;
  const V means = hn::Set(d, mean);
  const V inverses = hn::Set(d, inverse);
  const auto gain_at = [&](std::int64_t i) {
    return gain ? hn::LoadU(d, gain + i) : hn::Set(d, 1.0f);
  };
  const auto gradient = [&](std::int64_t i) {
    return hn::Mul(hn::LoadU(d, grad_out + i), gain_at(i));
  };
  const auto normal = [&](std::int64_t i) {
    return hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), inverses);
  };
  const auto gradient_1 = [&](std::int64_t i) { return grad_out[i] * (gain ? gain[i] : 1.0f); };
  const auto normal_1 = [&](std::int64_t i) { return (x[i] - mean) * inverse; };
  const auto count = static_cast<float>(width);
  const float mean_g = centred ? sum_over(width, gradient, gradient_1) / count : 0.0f;
  const float mean_gn = sum_over(
                            width, [&](std::int64_t i) { return hn::Mul(gradient(i), normal(i)); },
                            [&](std::int64_t i) { return gradient_1(i) * normal_1(i); }) /
                        count;
  for (std::int64_t i = 0; i < width; ++i) {
    grad_x[i] += inverse * (gradient_1(i) - mean_g - normal_1(i) * mean_gn);
  }
}

/// ADDS grad_out * n to grad_gain: one row's share.
void add_gain_gradient(std::int64_t width, const float* x, float mean, float inverse,
                       const float* grad_out, float* grad_gain) {
  for (std::int64_t i = 0; i < width; ++i) grad_gain[i] += grad_out[i] * ((x[i] - mean) * inverse);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
namespace {

HWY_EXPORT(row_mean);
HWY_EXPORT(row_variance);
HWY_EXPORT(normalize_row);
HWY_EXPORT(normalize_row_backward);
HWY_EXPORT(add_gain_gradient);

// Rows of one piece of parallel work: enough to outweigh handing it out.
constexpr std::int64_t kPieceRows = 16;

template <class RowFunction>
void for_each_row(std::int64_t rows, const RowFunction& function) {
  parallel_for(ceil_div(rows, kPieceRows), [&](std::int64_t piece) {
    const std::int64_t last = std::min(rows, (piece + 1) * kPieceRows);
    for (std::int64_t r = piece * kPieceRows; r < last; ++r) function(r);
  });
}

/// The backward that both norms share; means is null for RMSNorm.
void norm_backward(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                   const float* means, const float* inverses, const float* grad_out, float* grad_x,
                   float* grad_gain) {
  const auto mean_of = [&](std::int64_t r) { return means ? means[r] : 0.0f; };
  const auto row_kernel = LIMELIGHT_DISPATCH(normalize_row_backward);
  const auto gain_kernel = LIMELIGHT_DISPATCH(add_gain_gradient);
  for_each_row(rows, [&](std::int64_t r) {
    row_kernel(width, x + r * width, mean_of(r), inverses[r], gain, grad_out + r * width,
               means != nullptr, grad_x + r * width);
  });
  if (!grad_gain) return;
  const auto add_block = [&](std::int64_t first, std::int64_t last, float* partial) {
    for (std::int64_t r = first; r < last; ++r) {
      gain_kernel(width, x + r * width, mean_of(r), inverses[r], grad_out + r * width, partial);
    }
  };
  reduce_rows(rows, width, add_block, grad_gain);
}

}  // namespace

void layer_norm_forward(std::int64_t rows, std::int64_t width, float epsilon, const float* x,
                        const float* gain, const float* bias, float* out, float* mean,
                        float* inverse_deviation) {
  const auto mean_kernel = LIMELIGHT_DISPATCH(row_mean);
  const auto variance_kernel = LIMELIGHT_DISPATCH(row_variance);
  const auto normalize_kernel = LIMELIGHT_DISPATCH(normalize_row);
  for_each_row(rows, [&](std::int64_t r) {
    const float* row = x + r * width;
    mean[r] = mean_kernel(width, row);
    // The mean first, then the variance around it: sums of squares alone would cancel.
    inverse_deviation[r] = 1 / std::sqrt(variance_kernel(width, row, mean[r]) + epsilon);
    normalize_kernel(width, row, mean[r], inverse_deviation[r], gain, bias, out + r * width);
  });
}

void layer_norm_backward(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                         const float* mean, const float* inverse_deviation, const float* grad_out,
                         float* grad_x, float* grad_gain, float* grad_bias) {
  norm_backward(rows, width, x, gain, mean, inverse_deviation, grad_out, grad_x, grad_gain);
  if (grad_bias) add_row_sums(rows, width, grad_out, grad_bias);
}

void rms_norm_forward(std::int64_t rows, std::int64_t width, float epsilon, const float* x,
                      const float* gain, float* out, float* inverse_rms) {
  const auto variance_kernel = LIMELIGHT_DISPATCH(row_variance);
  const auto normalize_kernel = LIMELIGHT_DISPATCH(normalize_row);
  for_each_row(rows, [&](std::int64_t r) {
    const float* row = x + r * width;
    inverse_rms[r] = 1 / std::sqrt(variance_kernel(width, row, 0.0f) + epsilon);
    normalize_kernel(width, row, 0.0f, inverse_rms[r], gain, nullptr, out + r * width);
  });
}

void rms_norm_backward(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                       const float* inverse_rms, const float* grad_out, float* grad_x,
                       float* grad_gain) {
  norm_backward(rows, width, x, gain, nullptr, inverse_rms, grad_out, grad_x, grad_gain);
}

}  // namespace limelight
#endif  // HWY_ONCE
