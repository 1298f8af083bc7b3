// Every layer, forward and backward, has the same bits on any number of threads.

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "base/counter_random.h"
#include "layers/activation.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/normalization.h"
#include "layers/softmax.h"

namespace limelight {
namespace {

constexpr std::int64_t kRows = 333;
constexpr std::int64_t kWidth = 65;

std::vector<float> random_values(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(random_normal(seed, static_cast<std::uint64_t>(i))));
  }
  return values;
}

void expect_same_bits(const std::function<std::vector<float>()>& compute) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<float> alone = compute();
  for (const int count : {2, 3, 7}) {
    omp_set_num_threads(count);
    EXPECT_EQ(compute(), alone) << count << " threads";
  }
  omp_set_num_threads(threads);
}

std::vector<float> joined(std::initializer_list<std::vector<float>> parts) {
  std::vector<float> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(SameBits, Linear) {
  const auto x = random_values(kRows * kWidth, 1);
  const auto weight = random_values(kWidth * 40, 2);
  const auto bias = random_values(40, 3);
  const auto grad_out = random_values(kRows * 40, 4);
  for (const bool transposed : {false, true}) {
    expect_same_bits([&] {
      const LinearShape shape{kRows, kWidth, 40, transposed};
      std::vector<float> out(kRows * 40), grad_x(x.size()), grad_weight(weight.size()),
          grad_bias(40);
      linear_forward(shape, x.data(), weight.data(), bias.data(), out.data());
      linear_backward(shape, x.data(), weight.data(), grad_out.data(), grad_x.data(),
                      grad_weight.data(), grad_bias.data());
      return joined({out, grad_x, grad_weight, grad_bias});
    });
  }
}

TEST(SameBits, Norms) {
  const auto x = random_values(kRows * kWidth, 1);
  const auto gain = random_values(kWidth, 2);
  const auto bias = random_values(kWidth, 3);
  const auto grad_out = random_values(kRows * kWidth, 4);
  expect_same_bits([&] {
    std::vector<float> out(x.size()), mean(kRows), inverse(kRows), rms(kRows);
    std::vector<float> grad_x(x.size()), grad_gain(kWidth), grad_bias(kWidth);
    layer_norm_forward(kRows, kWidth, 1e-5f, x.data(), gain.data(), bias.data(), out.data(),
                       mean.data(), inverse.data());
    layer_norm_backward(kRows, kWidth, x.data(), gain.data(), mean.data(), inverse.data(),
                        grad_out.data(), grad_x.data(), grad_gain.data(), grad_bias.data());
    rms_norm_forward(kRows, kWidth, 1e-5f, x.data(), gain.data(), out.data(), rms.data());
    rms_norm_backward(kRows, kWidth, x.data(), gain.data(), rms.data(), grad_out.data(),
                      grad_x.data(), grad_gain.data());
    return joined({out, grad_x, grad_gain, grad_bias});
  });
}

TEST(SameBits, EmbeddingAndLoss) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < kRows; ++i) ids.push_back(static_cast<std::int32_t>(i * 7 % 13));
  const auto grad_out = random_values(kRows * kWidth, 4);
  expect_same_bits([&] {
    std::vector<float> tokens(13 * kWidth), positions(37 * kWidth), losses(kRows);
    embedding_backward(9, 37, kWidth, ids, 0, grad_out.data(), tokens.data(), positions.data());
    std::vector<float> grad(grad_out.size());
    cross_entropy(kRows, kWidth, grad_out.data(), ids, 0.5f, losses.data(), grad.data());
    return joined({tokens, positions, losses, grad});
  });
}

TEST(CrossEntropy, IgnoredTargetsHaveNoLossAndNoGradient) {
  const auto logits = random_values(3 * kWidth, 5);
  const std::vector<std::int32_t> targets = {4, -1, 64};
  std::vector<float> losses(3), grad(logits.size(), 9.0f), in_place = logits;
  cross_entropy(3, kWidth, logits.data(), targets, 1, losses.data(), grad.data());
  EXPECT_EQ(losses[1], 0);
  for (std::int64_t c = 0; c < kWidth; ++c)
    EXPECT_EQ(grad[static_cast<std::size_t>(kWidth + c)], 0);
  std::vector<float> other_losses(3);
  cross_entropy(3, kWidth, in_place.data(), targets, 1, other_losses.data(), in_place.data());
  EXPECT_EQ(in_place, grad);
  EXPECT_EQ(other_losses, losses);
}

TEST(Activation, NotANumberShows) {
  const std::vector<float> x = {std::numeric_limits<float>::quiet_NaN()};
  float out = 0;
  for (const GeluForm form : {GeluForm::exact, GeluForm::tanh}) {
    gelu_forward(form, 1, x.data(), &out);
    EXPECT_TRUE(std::isnan(out));
  }
  silu_forward(1, x.data(), &out);
  EXPECT_TRUE(std::isnan(out));
}

}  // namespace
}  // namespace limelight
