#include "training/adamw.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <vector>

#include "base/counter_random.h"
#include "training/learning_rate.h"

namespace limelight {
namespace {

constexpr TransformerConfig kConfig = {.vocab_size = 50,
                                       .context_length = 8,
                                       .num_layers = 1,
                                       .num_heads = 2,
                                       .width = 16,
                                       .inner_width = 64};

/// AdamW for one number, in double, from the paper.
struct ScalarAdamW {
  double parameter, m = 0, v = 0;
  int t = 0;

  void update(double g, double rate, double decay) {
    ++t;
    parameter -= rate * decay * parameter;
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, t));
    const double v_hat = v / (1 - std::pow(0.99, t));
    parameter -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
  }
};

TEST(AdamW, FollowsTheFormulaAndDecaysMatricesOnly) {
  const ParameterLayout layout(kConfig);
  AdamW optimizer(layout, {});
  std::vector<float> parameters(layout.size(), 0.5f);
  std::vector<float> gradients(layout.size());
  ScalarAdamW matrix{0.5};
  ScalarAdamW vector{0.5};
  const ParameterEntry& a_matrix = layout.entries()[0];
  const ParameterEntry& a_vector = layout.entries()[2];
  ASSERT_TRUE(a_matrix.decayed());
  ASSERT_FALSE(a_vector.decayed());
  for (std::uint64_t step = 0; step < 50; ++step) {
    const double g = random_normal(1, step);
    std::fill(gradients.begin(), gradients.end(), static_cast<float>(g));
    optimizer.update(parameters, gradients, 0.5, 1e-2);
    matrix.update(0.5 * static_cast<float>(g), 1e-2, 0.1);
    vector.update(0.5 * static_cast<float>(g), 1e-2, 0);
    EXPECT_NEAR(parameters[a_matrix.offset + 7], matrix.parameter, 2e-6);
    EXPECT_NEAR(parameters[a_vector.offset + 7], vector.parameter, 2e-6);
  }
}

TEST(GlobalNorm, HasTheSameBitsOnAnyNumberOfThreads) {
  std::vector<float> values(100'003);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(random_normal(3, i));
    sum += static_cast<double>(values[i]) * values[i];
  }
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const double alone = global_norm(values);
  omp_set_num_threads(5);
  EXPECT_EQ(global_norm(values), alone);
  omp_set_num_threads(threads);
  EXPECT_NEAR(alone, std::sqrt(sum), 1e-9);
}

TEST(LearningRate, WarmsUpThenFollowsHalfACosine) {
  const LearningRateSchedule schedule{
      .peak = 1, .minimum = 0.1, .warmup_steps = 9, .decay_steps = 109};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(8), 0.9);
  EXPECT_DOUBLE_EQ(schedule.at(9), 1.0);
  EXPECT_NEAR(schedule.at(59), 0.55, 1e-12);
  EXPECT_DOUBLE_EQ(schedule.at(109), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(100'000), 0.1);
}

}  // namespace
}  // namespace limelight
