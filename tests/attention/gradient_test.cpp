// The float64 reference's gradients against finite differences, for every option alone and in
// company.

#include <gtest/gtest.h>

#include <cmath>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

double loss_of(const AttentionCase& inputs) {
  const ForwardResult forward = run_forward(inputs, DType::f64);
  double loss = 0;
  for (std::int64_t i = 0; i < forward.out.elements(); ++i) {
    loss += forward.out.get(i) * inputs.grad_out.get(i);
  }
  return loss;
}

/// d loss / d element i of `input`, which is a member of `inputs`.
double numeric_gradient(const AttentionCase& inputs, Tensor& input, std::int64_t i) {
  constexpr double kStep = 1e-5;
  const double here = input.get(i);
  input.set(i, here + kStep);
  const double above = loss_of(inputs);
  input.set(i, here - kStep);
  const double below = loss_of(inputs);
  input.set(i, here);
  return (above - below) / (2 * kStep);
}

class GradientTest : public testing::TestWithParam<CaseSpec> {};

TEST_P(GradientTest, AgreesWithFiniteDifferences) {
  AttentionCase inputs(GetParam(), DType::f64);
  const BackwardResult backward = run_backward(inputs, run_forward(inputs, DType::f64), DType::f64);
  const std::pair<Tensor*, const Tensor*> pairs[] = {{&inputs.query, &backward.query},
                                                     {&inputs.key, &backward.key},
                                                     {&inputs.value, &backward.value},
                                                     {&inputs.past_key, &backward.past_key},
                                                     {&inputs.past_value, &backward.past_value},
                                                     {&inputs.bias, &backward.bias},
                                                     {&inputs.sinks, &backward.sinks}};
  double largest = 0;
  for (const auto& [input, gradient] : pairs) {
    for (std::int64_t i = 0; !input->empty() && i < input->elements(); ++i) {
      if (std::isinf(input->get(i))) {
        EXPECT_EQ(gradient->get(i), 0) << "of a bias of -infinity at " << i;
        continue;
      }
      EXPECT_NEAR(gradient->get(i), numeric_gradient(inputs, *input, i), 2e-8) << "at " << i;
      largest = std::max(largest, std::abs(gradient->get(i)));
    }
  }
  EXPECT_GT(largest, 1e-3) << "the case differentiates nothing";
}

INSTANTIATE_TEST_SUITE_P(Options, GradientTest, testing::ValuesIn(option_specs()), name_of_case);

}  // namespace
}  // namespace limelight::test
