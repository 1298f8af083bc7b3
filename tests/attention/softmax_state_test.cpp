// The carry of the online softmax: merging is associative and commutative, the empty state changes
// nothing, and any way of cutting a row gives what the row gives in one piece.

#include "attention/softmax_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace limelight::test {
namespace {

using State = SoftmaxState<double>;

/// The state of these scores, by definition.
State state_of(const std::vector<double>& scores) {
  State state;
  for (const double score : scores) state.maximum = std::max(state.maximum, score);
  for (const double score : scores) state.sum += std::exp(score - state.maximum);
  return state;
}

State merged(State a, const State& b) {
  a.merge(b);
  return a;
}

void expect_equal(const State& a, const State& b) {
  EXPECT_EQ(a.maximum, b.maximum);
  EXPECT_NEAR(a.sum, b.sum, 1e-14 * b.sum);
}

std::vector<double> random_scores(std::mt19937& random, std::size_t count, double deviation) {
  std::normal_distribution<double> normal(0, deviation);
  std::vector<double> scores(count);
  std::generate(scores.begin(), scores.end(), [&] { return normal(random); });
  return scores;
}

TEST(SoftmaxState, TheEmptyStateIsTheIdentity) {
  const State some = state_of({1, -3, 2});
  expect_equal(merged(some, State()), some);
  expect_equal(merged(State(), some), some);
  EXPECT_TRUE(merged(State(), State()).empty());
  EXPECT_EQ(State().lse(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(State().rescale_to(5), 0);
}

TEST(SoftmaxState, MergingIsAssociativeAndCommutative) {
  std::mt19937 random(1);
  for (const double deviation : {0.1, 1.0, 30.0, 1000.0}) {
    for (int i = 0; i < 100; ++i) {
      const State a = state_of(random_scores(random, 3, deviation));
      const State b = state_of(random_scores(random, 1, deviation));
      const State c = state_of(random_scores(random, 7, deviation));
      expect_equal(merged(merged(a, b), c), merged(a, merged(b, c)));
      expect_equal(merged(a, b), merged(b, a));
    }
  }
}

TEST(SoftmaxState, AnyCutGivesTheWhole) {
  std::mt19937 random(2);
  const std::vector<double> scores = random_scores(random, 50, 20);
  const State whole = state_of(scores);
  for (std::size_t cut = 0; cut <= scores.size(); ++cut) {
    const auto middle = scores.begin() + static_cast<std::ptrdiff_t>(cut);
    const State first = state_of({scores.begin(), middle});
    const State second = state_of({middle, scores.end()});
    expect_equal(merged(first, second), whole);
    // What was weighted against the first maximum, rescaled, is weighted against the merged one.
    if (!first.empty()) {
      EXPECT_NEAR(first.rescale_to(whole.maximum), std::exp(first.maximum - whole.maximum), 1e-15);
    }
  }
}

}  // namespace
}  // namespace limelight::test
