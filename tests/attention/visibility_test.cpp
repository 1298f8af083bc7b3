#include "attention/visibility.h"

#include <gtest/gtest.h>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

class VisibilityTest : public testing::TestWithParam<CaseSpec> {
 protected:
  VisibilityTest() : inputs_(GetParam(), DType::f32) {
    const CaseSpec& spec = inputs_.spec;
    shape_ = {spec.batch,    spec.num_heads, spec.num_kv_heads, spec.q_len,
              spec.past_len, spec.new_len,   spec.head_dim,     spec.value_dim};
  }

  AttentionCase inputs_;
  AttentionShape shape_;
};

TEST_P(VisibilityTest, RangesNeverStepBack) {
  const Visibility visibility(shape_, inputs_.options());
  for (const Sequence& sequence : visibility.sequences()) {
    for (std::int64_t i = 1; i < sequence.q_len; ++i) {
      EXPECT_GE(visibility.range(sequence, i).begin, visibility.range(sequence, i - 1).begin);
      EXPECT_GE(visibility.range(sequence, i).end, visibility.range(sequence, i - 1).end);
    }
  }
}

TEST_P(VisibilityTest, CoverAgreesWithLookingAtEveryKey) {
  const Visibility visibility(shape_, inputs_.options());
  for (const Sequence& sequence : visibility.sequences()) {
    for (std::int64_t h = 0; h < shape_.num_heads; ++h) {
      for (std::int64_t q0 = 0; q0 < sequence.q_len; ++q0) {
        for (std::int64_t q1 = q0 + 1; q1 <= sequence.q_len; ++q1) {
          for (std::int64_t k0 = 0; k0 < sequence.kv_len; ++k0) {
            for (std::int64_t k1 = k0 + 1; k1 <= sequence.kv_len; ++k1) {
              int seen = 0;
              for (std::int64_t i = q0; i < q1; ++i) {
                for (std::int64_t j = k0; j < k1; ++j) {
                  seen += visibility.visible(sequence, h, i, j);
                }
              }
              const TileCover expected = seen == 0                       ? TileCover::empty
                                         : seen == (q1 - q0) * (k1 - k0) ? TileCover::full
                                                                         : TileCover::partial;
              const TileCover cover = visibility.cover(sequence, h, q0, q1, {k0, k1});
              // A window narrower than the tile is high may leave a hole that ranges do not show.
              if (cover == TileCover::partial && expected == TileCover::empty) continue;
              ASSERT_EQ(cover, expected) << q0 << " " << q1 << " " << k0 << " " << k1;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, VisibilityTest, testing::ValuesIn(option_specs()), name_of_case);

TEST(Visibility, WhoSeesWhomUnderCausalAndWindow) {
  const AttentionShape shape = {1, 1, 1, 3, 0, 5, 4, 4};
  const auto ranges = [&](const AttentionOptions& options) {
    const Visibility visibility(shape, options);
    std::vector<std::pair<std::int64_t, std::int64_t>> result;
    for (std::int64_t i = 0; i < 3; ++i) {
      const KeyRange range = visibility.range(visibility.sequences()[0], i);
      result.emplace_back(range.begin, range.end);
    }
    return result;
  };
  using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;
  AttentionOptions options;
  EXPECT_EQ(ranges(options), (Ranges{{0, 5}, {0, 5}, {0, 5}}));
  options.causal = CausalAlignment::top_left;
  EXPECT_EQ(ranges(options), (Ranges{{0, 1}, {0, 2}, {0, 3}}));
  options.causal = CausalAlignment::bottom_right;
  EXPECT_EQ(ranges(options), (Ranges{{0, 3}, {0, 4}, {0, 5}}));
  options.window = SlidingWindow{CausalAlignment::bottom_right, 1, 0};
  EXPECT_EQ(ranges(options), (Ranges{{1, 3}, {2, 4}, {3, 5}}));
  options.causal.reset();
  options.window = SlidingWindow{CausalAlignment::top_left, 0, 1};
  EXPECT_EQ(ranges(options), (Ranges{{0, 2}, {1, 3}, {2, 4}}));
}

}  // namespace
}  // namespace limelight::test
