#include "layers/softmax.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "layers/softmax.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace limelight {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

float row_maximum(std::int64_t width, const float* x) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  float maximum = x[0];
  if (width >= lanes) {
    V maxima = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= width; i += lanes) maxima = hn::Max(maxima, hn::LoadU(d, x + i));
    maximum = hn::GetLane(hn::MaxOfLanes(d, maxima));
  }
  for (; i < width; ++i) maximum = std::max(maximum, x[i]);
  return maximum;
}

/// out[i] = exp(x[i] - maximum) when out is not null; returns the sum. The sum is taken in double,
/// a vector's lanes at a time, so that a vocabulary's many small terms are not lost.
double exponentials(std::int64_t width, const float* x, float maximum, float* out) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr std::int64_t kVectorsPerPart = 16;
  const V maxima = hn::Set(d, maximum);
  double sum = 0;
  std::int64_t i = 0;
  while (i + lanes <= width) {
    V part = hn::Zero(d);
    for (std::int64_t k = 0; k < kVectorsPerPart && i + lanes <= width; ++k, i += lanes) {
      const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), maxima));
      if (out) hn::StoreU(e, d, out + i);
      part = hn::Add(part, e);
    }
    sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, part)));
  }
  if (i < width) {
    HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
    std::copy(x + i, x + width, rest);
    hn::Store(hn::Exp(d, hn::Sub(hn::Load(d, rest), maxima)), d, rest);
    for (std::int64_t k = 0; k < width - i; ++k) {
      if (out) out[i + k] = rest[k];
      sum += static_cast<double>(rest[k]);
    }
  }
  return sum;
}

/// out[i] = x[i] * factor
void scale(std::int64_t width, float factor, const float* x, float* out) {
  for (std::int64_t i = 0; i < width; ++i) out[i] = x[i] * factor;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
namespace {

HWY_EXPORT(row_maximum);
HWY_EXPORT(exponentials);
HWY_EXPORT(scale);

}  // namespace

void softmax_forward(std::int64_t rows, std::int64_t width, const float* x, float* out) {
  if (width == 0) return;
  const auto maximum_of = LIMELIGHT_DISPATCH(row_maximum);
  const auto exponentials_of = LIMELIGHT_DISPATCH(exponentials);
  const auto scale_by = LIMELIGHT_DISPATCH(scale);
  parallel_for(rows, [&](std::int64_t r) {
    const float* row = x + r * width;
    const double sum = exponentials_of(width, row, maximum_of(width, row), out + r * width);
    scale_by(width, static_cast<float>(1 / sum), out + r * width, out + r * width);
  });
}

void log_softmax_forward(std::int64_t rows, std::int64_t width, const float* x, float* out) {
  if (width == 0) return;
  const auto maximum_of = LIMELIGHT_DISPATCH(row_maximum);
  const auto exponentials_of = LIMELIGHT_DISPATCH(exponentials);
  parallel_for(rows, [&](std::int64_t r) {
    const float* row = x + r * width;
    const float maximum = maximum_of(width, row);
    const auto log_sum =
        static_cast<float>(std::log(exponentials_of(width, row, maximum, nullptr)));
    for (std::int64_t c = 0; c < width; ++c) out[r * width + c] = (row[c] - maximum) - log_sum;
  });
}

void cross_entropy(std::int64_t rows, std::int64_t width, const float* logits,
                   std::span<const std::int32_t> targets, float grad_scale, float* losses,
                   float* grad_logits) {
  const auto maximum_of = LIMELIGHT_DISPATCH(row_maximum);
  const auto exponentials_of = LIMELIGHT_DISPATCH(exponentials);
  const auto scale_by = LIMELIGHT_DISPATCH(scale);
  parallel_for(rows, [&](std::int64_t r) {
    const float* row = logits + r * width;
    float* grad = grad_logits ? grad_logits + r * width : nullptr;
    const std::int32_t target = targets[static_cast<std::size_t>(r)];
    if (target < 0) {
      losses[r] = 0;
      if (grad) std::fill_n(grad, width, 0.0f);
      return;
    }
    const float maximum = maximum_of(width, row);
    const float target_logit = row[target];  // before grad, which may be logits, overwrites it
    const double sum = exponentials_of(width, row, maximum, grad);
    losses[r] = static_cast<float>(std::log(sum) + maximum - target_logit);
    if (!grad) return;
    scale_by(width, static_cast<float>(grad_scale / sum), grad, grad);
    grad[target] -= grad_scale;
  });
}

}  // namespace limelight
#endif  // HWY_ONCE
