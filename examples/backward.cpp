// Gradients, checked against a difference: what happens to the loss when a key moves a little.

#include <limelight/attention.h>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace limelight;

namespace {

constexpr std::int64_t kLength = 6, kDim = 4;
using Numbers = std::vector<double>;

ConstTensorView read(const Numbers& x) {
  return ConstTensorView::of(x.data(), {1, 1, kLength, kDim});
}
TensorView write(Numbers& x) { return TensorView::of(x.data(), {1, 1, kLength, kDim}); }

Numbers waves(double step) {
  Numbers x(kLength * kDim);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(step * static_cast<double>(i + 1));
  return x;
}

}  // namespace

int main() {
  const Numbers query = waves(0.7), value = waves(1.9), grad_out = waves(0.3);
  Numbers key = waves(1.3), out(key.size()), lse(kLength);
  const TensorView lse_view = TensorView::of(lse.data(), {1, 1, kLength});
  AttentionOptions options;
  options.causal = CausalAlignment::top_left;

  const auto loss = [&] {
    attention(read(query), read(key), read(value), write(out), options, lse_view);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * grad_out[i];
    return sum;
  };
  loss();
  Numbers grad_query(key.size()), grad_key(key.size()), grad_value(key.size());
  attention_backward(read(query), read(key), read(value), read(out), lse_view, read(grad_out),
                     write(grad_query), write(grad_key), write(grad_value), options);

  constexpr double kStep = 1e-6;
  key[5] += kStep;
  const double above = loss();
  key[5] -= 2 * kStep;
  const double difference = (above - loss()) / (2 * kStep);
  std::printf("gradient %.9f, by a difference %.9f\n", grad_key[5], difference);
  return std::abs(grad_key[5] - difference) < 1e-8 ? 0 : 1;
}
