// The kernels' stated error (kernels/simd/attention.h) at inputs that are hard on a softmax.

#include <gtest/gtest.h>

#include <cmath>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

struct HostileCase {
  std::string name;
  CaseSpec spec;
  void (*prepare)(AttentionCase&);
};

void every_element(Tensor& tensor, double (*value)(std::int64_t)) {
  for (std::int64_t i = 0; i < tensor.elements(); ++i) tensor.set(i, value(i));
}

std::vector<HostileCase> hostile_cases() {
  return {
      {"scores_of_1e4", one_head(30, 300, 16),
       [](AttentionCase& c) {
         for (std::int64_t i = 0; i < c.query.elements(); ++i) c.query.set(i, c.query.get(i) * 1e4);
       }},
      {"one_dominant_key", one_head(30, 300, 16),
       [](AttentionCase& c) {
         for (std::int64_t d = 0; d < 16; ++d)
           c.key.set(217 * 16 + d, 50 * c.key.get(217 * 16 + d));
       }},
      {"all_equal_keys", one_head(30, 300, 16), [](AttentionCase& c) { c.key.fill(0.37); }},
      {"denormals", one_head(30, 300, 16),
       [](AttentionCase& c) {
         every_element(c.query, [](std::int64_t i) { return double(i % 7) * 1e-41; });
         every_element(c.value, [](std::int64_t i) { return double(i % 5) * 1e-39; });
       }},
      {"65536_keys", one_head(3, 65536, 8), [](AttentionCase&) {}},
      {"mixed_magnitudes", one_head(30, 300, 16),
       [](AttentionCase& c) {
         for (std::int64_t i = 0; i < c.key.elements(); ++i) {
           c.key.set(i, c.key.get(i) * std::exp2(double(i % 13) - 9));
           c.value.set(i, c.value.get(i) * std::exp2(double(i % 29) - 14));
         }
       }},
      {"zeros", one_head(30, 300, 16),
       [](AttentionCase& c) {
         c.query.fill(0);
         c.key.fill(0);
       }},
  };
}

/// |query| . |key| * scale at its largest: what the rounding of a score is proportional to.
double largest_score_terms(const AttentionCase& c) {
  const std::int64_t dim = c.spec.head_dim;
  double largest = 0;
  for (std::int64_t i = 0; i < c.spec.q_len; ++i) {
    for (std::int64_t j = 0; j < c.spec.new_len; ++j) {
      double sum = 0;
      for (std::int64_t d = 0; d < dim; ++d) {
        sum += std::abs(c.query.get(i * dim + d) * c.key.get(j * dim + d));
      }
      largest = std::max(largest, sum / std::sqrt(double(dim)));
    }
  }
  return largest;
}

class HostileTest : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileTest, StaysWithinTheStatedError) {
  AttentionCase inputs(GetParam().spec, DType::f32);
  GetParam().prepare(inputs);
  constexpr double kUnit = 0x1p-24;
  const double score_error = kUnit * (4 + largest_score_terms(inputs));
  const ForwardResult exact = run_forward(inputs, DType::f64);
  const ForwardResult found = run_forward(inputs, DType::f32);
  const double rows = double(inputs.spec.q_len + inputs.spec.new_len);
  // Below the smallest normal number, only the absolute spacing of denormals is left.
  EXPECT_LE(largest_difference(found.out, exact.out),
            8 * score_error * largest_magnitude(inputs.value) + 0x1p-149 * rows);
  EXPECT_LE(largest_difference(found.lse, exact.lse), 2 * score_error + kUnit * 16);

  const BackwardResult exact_gradients = run_backward(inputs, exact, DType::f64);
  const BackwardResult gradients = run_backward(inputs, found, DType::f32);
  for (std::size_t g = 0; g < exact_gradients.named().size(); ++g) {
    const auto [name, gradient] = exact_gradients.named()[g];
    const double scale =
        name == "value"
            ? largest_magnitude(inputs.grad_out)
            : largest_magnitude(inputs.grad_out) * largest_magnitude(inputs.value) *
                  std::max(largest_magnitude(inputs.query), largest_magnitude(inputs.key));
    EXPECT_LE(largest_difference(*gradients.named()[g].second, *gradient),
              64 * score_error * std::sqrt(rows) * scale + 0x1p-149 * rows)
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Inputs, HostileTest, testing::ValuesIn(hostile_cases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace limelight::test
