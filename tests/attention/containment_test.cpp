// NaN or infinity where nothing looks reaches nothing; where something looks, it shows.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "attention/attention_case.h"
#include "attention/visibility.h"

namespace limelight::test {
namespace {

constexpr double kPoisons[] = {std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()};

/// Which elements of a case are looked at, found by asking for every (head, query, key).
struct Looked {
  explicit Looked(const AttentionCase& inputs)
      : query(inputs.query.elements() / inputs.spec.head_dim),
        key(inputs.spec.batch * inputs.spec.num_kv_heads *
            (inputs.spec.past_len + inputs.spec.new_len)) {
    const CaseSpec& spec = inputs.spec;
    const AttentionShape shape = {spec.batch,    spec.num_heads, spec.num_kv_heads, spec.q_len,
                                  spec.past_len, spec.new_len,   spec.head_dim,     spec.value_dim};
    const Visibility visibility(shape, inputs.options());
    for (const Sequence& s : visibility.sequences()) {
      for (std::int64_t h = 0; h < spec.num_heads; ++h) {
        for (std::int64_t i = 0; i < s.q_len; ++i) {
          for (std::int64_t j = 0; j < s.kv_len; ++j) {
            if (!visibility.visible(s, h, i, j)) continue;
            query[(s.batch * spec.num_heads + h) * spec.q_len + s.first_query + i] = true;
            key[(s.batch * spec.num_kv_heads + h / shape.group()) * shape.kv_len() + s.first_key +
                j] = true;
          }
        }
      }
    }
  }
  std::vector<bool> query;
  std::vector<bool> key;
};

void poison_row(Tensor& tensor, std::int64_t row, double poison) {
  const std::int64_t width = tensor.sizes().back();
  for (std::int64_t d = 0; d < width; ++d) tensor.set(row * width + d, poison);
}

/// Poisons every row that nothing looks at. Returns how many there were.
int poison_hidden_rows(AttentionCase& inputs, double poison) {
  const Looked looked(inputs);
  const CaseSpec& spec = inputs.spec;
  int poisoned = 0;
  for (std::size_t row = 0; row < looked.query.size(); ++row) {
    if (looked.query[row]) continue;
    poison_row(inputs.query, std::int64_t(row), poison);
    poison_row(inputs.grad_out, std::int64_t(row), poison);
    ++poisoned;
  }
  const std::int64_t kv_len = spec.past_len + spec.new_len;
  for (std::size_t row = 0; row < looked.key.size(); ++row) {
    if (looked.key[row]) continue;
    const std::int64_t head = std::int64_t(row) / kv_len;
    const std::int64_t j = std::int64_t(row) % kv_len;
    const bool is_past = j < spec.past_len;
    const std::int64_t length = is_past ? spec.past_len : spec.new_len;
    const std::int64_t at = head * length + (is_past ? j : j - spec.past_len);
    poison_row(is_past ? inputs.past_key : inputs.key, at, poison);
    poison_row(is_past ? inputs.past_value : inputs.value, at, poison);
    ++poisoned;
  }
  return poisoned;
}

class ContainmentTest : public testing::TestWithParam<CaseSpec> {};

TEST_P(ContainmentTest, WhatIsHiddenReachesNothing) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    const AttentionCase clean(GetParam(), dtype);
    const ForwardResult expected = run_forward(clean, dtype);
    const BackwardResult expected_gradients = run_backward(clean, expected, dtype);
    for (const double poison : kPoisons) {
      AttentionCase poisoned(GetParam(), dtype);
      if (poison_hidden_rows(poisoned, poison) == 0) continue;
      const ForwardResult forward = run_forward(poisoned, dtype);
      EXPECT_EQ(largest_difference(forward.out, expected.out), 0);
      EXPECT_EQ(largest_difference(forward.lse, expected.lse), 0);
      const BackwardResult backward = run_backward(poisoned, forward, dtype);
      for (std::size_t g = 0; g < backward.named().size(); ++g) {
        const auto [name, gradient] = backward.named()[g];
        EXPECT_EQ(largest_difference(*gradient, *expected_gradients.named()[g].second), 0) << name;
      }
    }
  }
}

/// Key 2 is seen by some rows and hidden from others: the others do not change by a bit.
TEST_P(ContainmentTest, WhatIsSeenShowsWhereItIsSeen) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    const AttentionCase clean(GetParam(), dtype);
    const CaseSpec& spec = clean.spec;
    if (spec.new_len < 3) GTEST_SKIP() << "needs three keys";
    const AttentionShape shape = {spec.batch,    spec.num_heads, spec.num_kv_heads, spec.q_len,
                                  spec.past_len, spec.new_len,   spec.head_dim,     spec.value_dim};
    const ForwardResult expected = run_forward(clean, dtype);
    AttentionCase poisoned(GetParam(), dtype);
    const std::int64_t row = 2;  // of batch item 0, head 0
    poison_row(poisoned.value, row, kPoisons[0]);
    const ForwardResult forward = run_forward(poisoned, dtype);
    const AttentionOptions options = poisoned.options();
    const Visibility visibility(shape, options);
    for (const Sequence& s : visibility.sequences()) {
      for (std::int64_t h = 0; h < spec.num_heads; ++h) {
        for (std::int64_t i = 0; i < s.q_len; ++i) {
          const std::int64_t j = spec.past_len + row - s.first_key;
          const bool sees = s.batch == 0 && h / shape.group() == 0 && j >= 0 && j < s.kv_len &&
                            visibility.visible(s, h, i, j);
          const std::int64_t at =
              ((s.batch * spec.num_heads + h) * spec.q_len + s.first_query + i) * spec.value_dim;
          for (std::int64_t d = 0; d < spec.value_dim; ++d) {
            if (sees) {
              EXPECT_TRUE(std::isnan(forward.out.get(at + d))) << "query " << i << " head " << h;
            } else {
              EXPECT_EQ(forward.out.get(at + d), expected.out.get(at + d)) << "query " << i;
            }
          }
        }
      }
    }
  }
}

/// Also to a row that sees nothing else.
TEST(Containment, ANanScoreShowsInARowThatSeesNothingElse) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    AttentionCase inputs({.name = "one_key", .new_len = 1}, dtype);
    inputs.key.fill(kPoisons[0]);
    const ForwardResult forward = run_forward(inputs, dtype);
    for (const double out : forward.out.values()) EXPECT_TRUE(std::isnan(out));
    for (const double lse : forward.lse.values()) EXPECT_TRUE(std::isnan(lse));
  }
}

INSTANTIATE_TEST_SUITE_P(Options, ContainmentTest, testing::ValuesIn(option_specs()), name_of_case);

}  // namespace
}  // namespace limelight::test
