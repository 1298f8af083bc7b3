// The float64 reference against numbers worked out by hand.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One head of scalars: query, key and value of dimension 1, softmax_scale 1.
CaseSpec scalars(std::int64_t q_len, std::int64_t kv_len) {
  return {.batch = 1,
          .num_heads = 1,
          .num_kv_heads = 1,
          .q_len = q_len,
          .new_len = kv_len,
          .head_dim = 1,
          .value_dim = 1,
          .softmax_scale = 1};
}

AttentionCase worked_example(CaseSpec spec) {
  AttentionCase inputs(spec, DType::f64);
  inputs.query.fill(1);
  for (std::int64_t j = 0; j < spec.new_len; ++j) {
    inputs.key.set(j, std::log(double(j + 1)));  // scores log 1, log 2, ...: weights 1 : 2 : ...
    inputs.value.set(j, double(j * j));          // 0, 1, 4, 9
  }
  return inputs;
}

TEST(Reference, WeighsByExpOfScores) {
  const ForwardResult result = run_forward(worked_example(scalars(1, 4)), DType::f64);
  EXPECT_NEAR(result.out.get(0), (1 * 0 + 2 * 1 + 3 * 4 + 4 * 9) / 10.0, 1e-15);
  EXPECT_NEAR(result.lse.get(0), std::log(10), 1e-15);
}

TEST(Reference, CausalTopLeftAndBottomRightDiffer) {
  CaseSpec spec = scalars(2, 4);
  spec.causal = CausalAlignment::top_left;
  const ForwardResult top = run_forward(worked_example(spec), DType::f64);
  EXPECT_NEAR(top.out.get(0), 0, 1e-15);
  EXPECT_NEAR(top.out.get(1), 2 / 3.0, 1e-15);
  spec.causal = CausalAlignment::bottom_right;
  const ForwardResult bottom = run_forward(worked_example(spec), DType::f64);
  EXPECT_NEAR(bottom.out.get(0), (2 + 12) / 6.0, 1e-15);
  EXPECT_NEAR(bottom.out.get(1), 50 / 10.0, 1e-15);
}

TEST(Reference, ASinkTakesItsShareAndHasNoValue) {
  CaseSpec spec = scalars(1, 4);
  spec.sinks = true;
  AttentionCase inputs = worked_example(spec);
  inputs.sinks.set(0, std::log(15));
  const ForwardResult result = run_forward(inputs, DType::f64);
  EXPECT_NEAR(result.out.get(0), 50 / 25.0, 1e-15);
  EXPECT_NEAR(result.lse.get(0), std::log(25), 1e-15);
}

TEST(Reference, ALargeScoreDoesNotOverflow) {
  CaseSpec spec = scalars(1, 3);
  spec.softmax_scale = 1e5;
  const ForwardResult result = run_forward(worked_example(spec), DType::f64);
  EXPECT_EQ(result.out.get(0), 4);
  EXPECT_NEAR(result.lse.get(0), 1e5 * std::log(3), 1e-9);
}

TEST(Reference, SoftcapBoundsScoresBeforeBias) {
  CaseSpec spec = scalars(1, 2);
  spec.softcap = 0.5;
  spec.bias_sizes = {2};
  AttentionCase inputs = worked_example(spec);
  inputs.bias.set(0, 3);
  inputs.bias.set(1, 0);
  const double first = 3;
  const double second = 0.5 * std::tanh(std::log(2) / 0.5);
  const double weight = 1 / (1 + std::exp(first - second));
  EXPECT_NEAR(run_forward(inputs, DType::f64).out.get(0), weight, 1e-15);
}

TEST(Reference, ARowWithNothingToSeeIsZero) {
  CaseSpec spec = scalars(3, 2);
  spec.causal = CausalAlignment::bottom_right;
  const AttentionCase inputs = worked_example(spec);
  const ForwardResult result = run_forward(inputs, DType::f64);
  EXPECT_EQ(result.out.get(0), 0);
  EXPECT_EQ(result.lse.get(0), -kInfinity);
  EXPECT_EQ(run_backward(inputs, result, DType::f64).query.get(0), 0);
}

TEST(Reference, NoKeysAtAll) {
  const AttentionCase inputs(scalars(3, 0), DType::f64);
  const ForwardResult result = run_forward(inputs, DType::f64);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(result.out.get(i), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(result.lse.get(i), -kInfinity);
}

TEST(Reference, NoQueriesAndNoBatch) {
  EXPECT_EQ(run_forward(AttentionCase(scalars(0, 3), DType::f64), DType::f64).out.elements(), 0);
  CaseSpec spec = scalars(2, 3);
  spec.batch = 0;
  EXPECT_EQ(run_forward(AttentionCase(spec, DType::f64), DType::f64).out.elements(), 0);
}

TEST(Reference, DropoutKeepsTheMean) {
  CaseSpec spec = scalars(1, 4);
  double sum = 0;
  constexpr int kMasks = 4000;
  for (int stream = 0; stream < kMasks; ++stream) {
    spec.dropout = Dropout{0.4, 9, std::uint32_t(stream)};
    sum += run_forward(worked_example(spec), DType::f64).out.get(0);
  }
  EXPECT_NEAR(sum / kMasks, 5, 0.15);
}

}  // namespace
}  // namespace limelight::test
