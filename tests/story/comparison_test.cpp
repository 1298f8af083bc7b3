#include "story/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "story/steps/measures.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kTexts = {"the lamp gave light", "and the bag was light",
                                         "the bag gave the light and the lamp"};

class ComparisonTest : public testing::Test {
 protected:
  Result<Comparison> compare(ComparisonRequest request) const {
    return compare_texts(model_, request, std::vector<std::string>{"light"});
  }
  Comparison compared(ComparisonRequest request) const {
    return std::move(compare(std::move(request))).value();
  }
  std::string refusal(ComparisonRequest request) const {
    const auto result = compare(std::move(request));
    return result ? "" : result.message();
  }
  const LoadedModel model_ = test::tiny_loaded_model();
};

TEST_F(ComparisonTest, FollowsTheWordAsAStoryDoes) {
  const Comparison comparison = compared({.texts = kTexts, .word = "light", .layer = 1, .head = 1});
  ASSERT_EQ(comparison.texts.size(), kTexts.size());
  EXPECT_TRUE(comparison.proof_holds());
  EXPECT_EQ(comparison.reason, "");
  for (const ComparedText& text : comparison.texts) {
    const Story story =
        test::tiny_story(model_, {.text = text.text, .word = "light", .layer = 1, .head = 1});
    EXPECT_EQ(text.token, story.token);
    const MatrixView path = story.trace.values("stream_path");
    for (std::int64_t depth = 0; depth < path.rows; ++depth) {
      EXPECT_THAT(text.path.row(depth), testing::ElementsAreArray(path.row(depth)));
    }
    const auto weights = story.trace.row(head_tensor(1, 1, "weights"), story.token);
    for (const WordContribution& from : text.contributions) {
      EXPECT_NEAR(from.weight, weights[static_cast<std::size_t>(from.token)], 1e-6);
    }
    EXPECT_EQ(text.nearest_after.front().text, story.nearest_after.front().text);
  }
}

TEST_F(ComparisonTest, ContributionsAddUpToTheHeadsWrite) {
  const Comparison comparison = compared({.texts = kTexts, .layer = 0, .head = 1});
  for (const ComparedText& text : comparison.texts) {
    const Story story =
        test::tiny_story(model_, {.text = text.text, .word = "light", .layer = 0, .head = 1});
    const double whole = length_of(story.trace.row(head_tensor(0, 1, "write"), story.token));
    double weights = 0;
    double shares = 0;
    double lengths = 0;
    for (const WordContribution& from : text.contributions) {
      weights += from.weight;
      shares += from.share;
      lengths += from.write_length;
      EXPECT_LE(std::fabs(from.share) * whole, from.write_length + 1e-6);
    }
    EXPECT_EQ(std::ssize(text.contributions), text.token + 1);
    EXPECT_NEAR(weights, 1, 1e-6);
    EXPECT_NEAR(shares, 1, 1e-12);
    EXPECT_GE(lengths, whole - 1e-6);
  }
}

TEST_F(ComparisonTest, TheSameTextTwiceIsTheSame) {
  const Comparison comparison = compared({.texts = {kTexts[0], kTexts[0], kTexts[1]}});
  for (const Matrix64& cosines : comparison.cosines) {
    EXPECT_NEAR(cosines.at(0, 1), 1, 1e-12);
    EXPECT_NEAR(cosines.at(2, 2), 1, 1e-12);
    EXPECT_EQ(cosines.at(0, 2), cosines.at(2, 0));
  }
  for (std::size_t depth = 0; depth < comparison.texts[0].points.size(); ++depth) {
    EXPECT_EQ(comparison.texts[0].points[depth].x, comparison.texts[1].points[depth].x);
    EXPECT_EQ(comparison.texts[0].points[depth].y, comparison.texts[1].points[depth].y);
  }
  EXPECT_THAT(comparison.ends, HasSubstr("A lies nearest to B (1.000)"));
}

TEST_F(ComparisonTest, TwoEqualTextsStillHaveAPlane) {
  const Comparison comparison = compared({.texts = {kTexts[0], kTexts[0]}});
  EXPECT_GT(comparison.x_share, 0.4);
  EXPECT_THAT(comparison.begins, HasSubstr("exactly alike"));
  EXPECT_THAT(comparison.ends, HasSubstr("is 1.000 after the last layer."));
}

TEST_F(ComparisonTest, ThePlaneHoldsTheShareThatItSays) {
  const Comparison comparison = compared({.texts = kTexts});
  double all = 0;
  double in_x = 0;
  double in_y = 0;
  double sum_x = 0;
  std::vector<double> mean(16);
  const double count = static_cast<double>(kTexts.size()) * 3;
  for (const ComparedText& text : comparison.texts) {
    for (std::int64_t depth = 0; depth < 3; ++depth) {
      for (std::size_t d = 0; d < mean.size(); ++d) mean[d] += text.path.row(depth)[d] / count;
    }
  }
  for (const ComparedText& text : comparison.texts) {
    for (std::int64_t depth = 0; depth < 3; ++depth) {
      for (std::size_t d = 0; d < mean.size(); ++d) {
        const double x = text.path.row(depth)[d] - mean[d];
        all += x * x;
      }
      const PlanePoint point = text.points[static_cast<std::size_t>(depth)];
      in_x += point.x * point.x;
      in_y += point.y * point.y;
      sum_x += point.x;
    }
  }
  EXPECT_NEAR(in_x / all, comparison.x_share, 1e-9);
  EXPECT_NEAR(in_y / all, comparison.y_share, 1e-9);
  EXPECT_NEAR(sum_x, 0, 1e-9);
  EXPECT_GE(comparison.x_share, comparison.y_share);
}

TEST_F(ComparisonTest, ThePictureReadsTheSameWayEveryTime) {
  for (const auto& texts : {std::vector{kTexts[0], kTexts[1]}, {kTexts[1], kTexts[2]}, kTexts}) {
    const Comparison comparison = compared({.texts = texts});
    double to_the_right = 0;
    for (const ComparedText& text : comparison.texts) {
      to_the_right += text.points.back().x - text.points.front().x;
    }
    EXPECT_GE(to_the_right, 0);
    EXPECT_GE(comparison.texts.front().points.back().y, 0);
    EXPECT_EQ(comparison.hash, compared({.texts = texts}).hash);
  }
}

TEST_F(ComparisonTest, SaysWhatTheWordBeginsWith) {
  EXPECT_THAT(compared({.texts = {kTexts[0], kTexts[1]}}).begins,
              HasSubstr("one row of the table"));
  // Without a blank before it, it is another token.
  EXPECT_THAT(compared({.texts = {"light", kTexts[1]}, .word = "light"}).begins,
              HasSubstr("not the same token"));
}

TEST_F(ComparisonTest, ChoosesWhatIsNotAskedFor) {
  const Comparison comparison = compared({.texts = kTexts});
  EXPECT_EQ(comparison.word, "light");
  EXPECT_NE(comparison.word_reason, "");
  EXPECT_THAT(comparison.reason, HasSubstr("over all texts"));
  EXPECT_EQ(compared({.texts = kTexts, .layer = 1}).layer, 1);
  EXPECT_EQ(compared({.texts = kTexts, .head = 0}).head, 0);
}

TEST_F(ComparisonTest, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal({.texts = {}}), HasSubstr("got 0"));
  EXPECT_THAT(refusal({.texts = {kTexts[0]}}), HasSubstr("got 1"));
  EXPECT_THAT(refusal({.texts = std::vector<std::string>(27, kTexts[0])}), HasSubstr("got 27"));
  EXPECT_EQ(refusal({.texts = std::vector<std::string>(26, kTexts[0])}), "");
  EXPECT_THAT(refusal({.texts = {kTexts[0], "the bag"}, .word = "light"}),
              testing::AllOf(HasSubstr("text 2 (B)"), HasSubstr("the bag")));
  EXPECT_THAT(refusal({.texts = {kTexts[0], "the bag"}}), HasSubstr("text 2 (B)"));
  EXPECT_THAT(refusal({.texts = {kTexts[0], kTexts[1], " "}, .word = "light"}),
              testing::AllOf(HasSubstr("text 3 (C)"), HasSubstr("empty")));
  EXPECT_THAT(refusal({.texts = {"light \xff", kTexts[0]}, .word = "light"}),
              testing::AllOf(HasSubstr("text 1 (A)"), HasSubstr("UTF-8")));
  std::string endless;
  for (int i = 0; i < 60; ++i) endless += "light ";
  EXPECT_THAT(refusal({.texts = {kTexts[0], endless}, .word = "light"}),
              testing::AllOf(HasSubstr("text 2 (B)"), HasSubstr("48")));
  EXPECT_THAT(refusal({.texts = kTexts, .layer = 2}), HasSubstr("layer 2"));
  EXPECT_THAT(refusal({.texts = kTexts, .head = -1}), HasSubstr("head -1"));
}

}  // namespace
}  // namespace limelight
