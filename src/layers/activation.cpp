#include "layers/activation.h"

#include <algorithm>

#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "layers/activation.cpp"
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

/// Applies op to whole vectors, and to the last, partial one with zeros behind it.
template <class Op>
void map_1(std::int64_t count, const float* x, float* out, const Op& op) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(op(hn::LoadU(d, x + i)), d, out + i);
  if (i == count) return;
  HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
  std::copy(x + i, x + count, rest);
  hn::Store(op(hn::Load(d, rest)), d, rest);
  std::copy(rest, rest + (count - i), out + i);
}

template <class Op>
void map_2(std::int64_t count, const float* a, const float* b, float* out, const Op& op) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  }
  if (i == count) return;
  HWY_ALIGN float rest_a[hn::MaxLanes(d)] = {};
  HWY_ALIGN float rest_b[hn::MaxLanes(d)] = {};
  std::copy(a + i, a + count, rest_a);
  std::copy(b + i, b + count, rest_b);
  hn::Store(op(hn::Load(d, rest_a), hn::Load(d, rest_b)), d, rest_a);
  std::copy(rest_a, rest_a + (count - i), out + i);
}

/// 1 / (1 + exp(-x)). Beyond +-80 the result is 0 or 1 in f32 whatever x is.
V sigmoid(D d, V x) {
  const V limited = hn::Min(hn::Max(x, hn::Set(d, -80.0f)), hn::Set(d, 80.0f));
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(limited))));
}

/// Phi(x), the normal distribution function, and its density.
///
/// Phi(-|x|) = erfc(z) / 2 with z = |x| / sqrt(2), and erfc(z) = exp(-z^2) t P(t) with t = 1 / (1 +
/// z/2). P is the polynomial of degree 9 that fits best, in relative error, at 4000 Chebyshev nodes
/// of z in [0, 10]: 2.2e-8 before rounding, 2.4e-7 in f32. Beyond, exp(-z^2) is 0 in f32.
struct NormalDistribution {
  V distribution, density;
};
NormalDistribution normal_distribution(D d, V x) {
  const V z = hn::Min(hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678f)), hn::Set(d, 12.0f));
  const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(z, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
  V p = hn::Set(d, 1.35346464e-2f);
  p = hn::MulAdd(p, t, hn::Set(d, -1.29614055e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 4.42811131e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, -6.87045813e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 4.34151888e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, -1.04528479e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 2.27445513e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 2.38288224e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 2.82894015e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 2.82062888e-1f));
  const V decay = hn::Exp(d, hn::Neg(hn::Mul(z, z)));
  const V tail = hn::Mul(hn::Mul(hn::Mul(decay, p), t), hn::Set(d, 0.5f));
  const auto negative = hn::Lt(x, hn::Zero(d));
  return {hn::IfThenElse(negative, tail, hn::Sub(hn::Set(d, 1.0f), tail)),
          hn::Mul(decay, hn::Set(d, 0.39894228f))};
}

constexpr float kTanhFactor = 0.79788456f;  // sqrt(2 / pi)
constexpr float kTanhCubic = 0.044715f;

/// 2 u for the tanh form's u = sqrt(2/pi) (x + 0.044715 x^3): (1 + tanh u) / 2 = sigmoid(2 u).
V twice_inner(D d, V x) {
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, kTanhCubic), hn::Set(d, 1.0f));
  return hn::Mul(hn::Mul(x, hn::Set(d, 2 * kTanhFactor)), cubic);
}

void gelu_exact_forward(std::int64_t count, const float* x, float* out) {
  const D d;
  map_1(count, x, out, [d](V v) { return hn::Mul(v, normal_distribution(d, v).distribution); });
}

void gelu_tanh_forward(std::int64_t count, const float* x, float* out) {
  const D d;
  map_1(count, x, out, [d](V v) { return hn::Mul(v, sigmoid(d, twice_inner(d, v))); });
}

// (x Phi(x))' = Phi(x) + x phi(x)
void gelu_exact_backward(std::int64_t count, const float* x, const float* grad_out, float* grad_x) {
  const D d;
  map_2(count, x, grad_out, grad_x, [d](V v, V grad) {
    const NormalDistribution normal = normal_distribution(d, v);
    return hn::Mul(grad, hn::MulAdd(v, normal.density, normal.distribution));
  });
}

// (x s(2u))' = s + x s (1 - s) 2u', with 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2)
void gelu_tanh_backward(std::int64_t count, const float* x, const float* grad_out, float* grad_x) {
  const D d;
  map_2(count, x, grad_out, grad_x, [d](V v, V grad) {
    const V s = sigmoid(d, twice_inner(d, v));
    const V slope =
        hn::Mul(hn::Set(d, 2 * kTanhFactor),
                hn::MulAdd(hn::Mul(v, v), hn::Set(d, 3 * kTanhCubic), hn::Set(d, 1.0f)));
    const V bell = hn::Mul(s, hn::Sub(hn::Set(d, 1.0f), s));
    return hn::Mul(grad, hn::MulAdd(hn::Mul(v, bell), slope, s));
  });
}

void silu_forward(std::int64_t count, const float* x, float* out) {
  const D d;
  map_1(count, x, out, [d](V v) { return hn::Mul(v, sigmoid(d, v)); });
}

// (x s)' = s (1 + x (1 - s))
void silu_backward(std::int64_t count, const float* x, const float* grad_out, float* grad_x) {
  const D d;
  map_2(count, x, grad_out, grad_x, [d](V v, V grad) {
    const V s = sigmoid(d, v);
    const V one = hn::Set(d, 1.0f);
    return hn::Mul(grad, hn::Mul(s, hn::MulAdd(v, hn::Sub(one, s), one)));
  });
}

void add(std::int64_t count, const float* a, const float* b, float* out) {
  map_2(count, a, b, out, [](V x, V y) { return hn::Add(x, y); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
namespace {

HWY_EXPORT(gelu_exact_forward);
HWY_EXPORT(gelu_exact_backward);
HWY_EXPORT(gelu_tanh_forward);
HWY_EXPORT(gelu_tanh_backward);
HWY_EXPORT(silu_forward);
HWY_EXPORT(silu_backward);
HWY_EXPORT(add);

/// Calls piece(begin, count) for pieces that stay in a core's L1 with their result.
template <class PieceFunction>
void for_each_piece(std::int64_t count, const PieceFunction& piece) {
  constexpr std::int64_t kPiece = 1 << 12;
  parallel_for(ceil_div(count, kPiece), [&](std::int64_t index) {
    const std::int64_t begin = index * kPiece;
    piece(begin, std::min(kPiece, count - begin));
  });
}

}  // namespace

void gelu_forward(GeluForm form, std::int64_t count, const float* x, float* out) {
  const auto kernel = form == GeluForm::exact ? LIMELIGHT_DISPATCH(gelu_exact_forward)
                                              : LIMELIGHT_DISPATCH(gelu_tanh_forward);
  for_each_piece(count, [&](std::int64_t i, std::int64_t n) { kernel(n, x + i, out + i); });
}

void gelu_backward(GeluForm form, std::int64_t count, const float* x, const float* grad_out,
                   float* grad_x) {
  const auto kernel = form == GeluForm::exact ? LIMELIGHT_DISPATCH(gelu_exact_backward)
                                              : LIMELIGHT_DISPATCH(gelu_tanh_backward);
  for_each_piece(
      count, [&](std::int64_t i, std::int64_t n) { kernel(n, x + i, grad_out + i, grad_x + i); });
}

void silu_forward(std::int64_t count, const float* x, float* out) {
  const auto kernel = LIMELIGHT_DISPATCH(silu_forward);
  for_each_piece(count, [&](std::int64_t i, std::int64_t n) { kernel(n, x + i, out + i); });
}

void silu_backward(std::int64_t count, const float* x, const float* grad_out, float* grad_x) {
  const auto kernel = LIMELIGHT_DISPATCH(silu_backward);
  for_each_piece(
      count, [&](std::int64_t i, std::int64_t n) { kernel(n, x + i, grad_out + i, grad_x + i); });
}

void add(std::int64_t count, const float* a, const float* b, float* out) {
  const auto kernel = LIMELIGHT_DISPATCH(add);
  for_each_piece(count, [&](std::int64_t i, std::int64_t n) { kernel(n, a + i, b + i, out + i); });
}

}  // namespace limelight
#endif  // HWY_ONCE
