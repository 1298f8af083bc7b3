#include "story/story.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "story/narrator.h"
#include "story/path_plane.h"
#include "story/principal_axes.h"
#include "story/steps/measures.h"
#include "story/steps/steps.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

const char* const kText = "the lamp gave light and the bag was light";

template <class T>
std::vector<const T*> blocks_of(const Step& step) {
  std::vector<const T*> found;
  for (const StoryBlock& block : step.blocks) {
    if (const auto* one = std::get_if<T>(&block)) found.push_back(one);
  }
  return found;
}

const FactTable& facts_of(const Story& story, int number, const std::string& id) {
  for (const FactTable* table :
       blocks_of<FactTable>(story.told().steps[static_cast<std::size_t>(number) - 1])) {
    if (table->id == id) return *table;
  }
  throw std::runtime_error("no facts called " + id);
}

/// What holds of every story, whatever it is about.
void expect_sound(const Story& story) {
  EXPECT_TRUE(story.proof.holds());
  EXPECT_EQ(story.hash.size(), 32u);
  for (const Telling& telling : story.tellings) {
    ASSERT_EQ(std::ssize(telling.steps), kStepCount);
    std::set<std::string> steps;
    for (int i = 0; i < kStepCount; ++i) {
      const Step& step = telling.steps[static_cast<std::size_t>(i)];
      EXPECT_EQ(step.number, i + 1);
      EXPECT_TRUE(steps.insert(step.id).second) << step.id;
      EXPECT_NE(step.question, "");
      EXPECT_EQ(step.falls_short.empty(), i >= 10) << step.id;
      std::set<std::string> ids;
      for (const TensorTable* table : blocks_of<TensorTable>(step)) {
        EXPECT_TRUE(ids.insert(table->id).second) << step.id << "." << table->id;
        ASSERT_TRUE(story.trace.contains(table->tensor)) << table->tensor;
        const TraceTensor& tensor = story.trace.at(table->tensor);
        EXPECT_GE(tensor.row_of(story.token), 0) << table->tensor;
        EXPECT_TRUE(!table->whole || tensor.values.rows == std::ssize(story.ids)) << table->tensor;
      }
      for (const FactTable* table : blocks_of<FactTable>(step)) {
        EXPECT_TRUE(ids.insert(table->id).second) << step.id << "." << table->id;
        for (const FactTable::Row& row : table->rows) {
          EXPECT_EQ(row.values.size(), table->columns.size()) << step.id << "." << table->id;
        }
      }
      for (const Prose* prose : blocks_of<Prose>(step)) {
        EXPECT_EQ(prose->text.find("nan"), std::string::npos) << prose->text;
      }
    }
  }
}

TEST(Story, HoldsForEveryLayerHeadAndDetail) {
  const LoadedModel model = test::tiny_loaded_model();
  for (const StoryDetail detail : {StoryDetail::row, StoryDetail::head, StoryDetail::model}) {
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      for (std::int64_t head = 0; head < 2; ++head) {
        const Story story = test::tiny_story(
            model, {.text = kText, .layer = layer, .head = head, .detail = detail});
        expect_sound(story);
        EXPECT_EQ(story.told().layer, layer);
        EXPECT_EQ(story.told().head, head);
        EXPECT_EQ(story.told().reason, "");
        EXPECT_EQ(std::ssize(story.tellings), detail == StoryDetail::model ? 4 : 1);
      }
    }
  }
}

TEST(Story, HoldsForTextsOfAnyKind) {
  const LoadedModel model = test::tiny_loaded_model();
  for (const char* text : {"x", "light", "?!", "naïve 光 💡", "the the the the", "\tlight\n"}) {
    for (const StoryDetail detail : {StoryDetail::row, StoryDetail::head}) {
      expect_sound(test::tiny_story(model, {.text = text, .detail = detail}));
    }
  }
}

// In the middle of a text there is a future to hide.
TEST(Story, LooksFromAnyWord) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = kText, .word = "lamp"});
  expect_sound(story);
  EXPECT_LT(story.token + 1, std::ssize(story.ids));
  const FactTable& leaks = facts_of(story, 8, "stand_ins");
  for (std::size_t i = 1; i < leaks.rows.size(); ++i) {
    EXPECT_LE(leaks.rows[i].values[0], leaks.rows[i - 1].values[0]);
  }
  EXPECT_EQ(leaks.rows.back().values[0], 0);
  EXPECT_GT(leaks.rows.front().values[0], 0);
}

TEST(Story, OfOneRowMakesNoSquareMatrix) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = kText, .detail = StoryDetail::row});
  for (const TraceTensor& tensor : story.trace.tensors()) {
    EXPECT_TRUE(tensor.axes[1] != "key_token" || tensor.values.rows == 1) << tensor.name;
  }
}

// The word's row is the same, however much is laid out around it.
TEST(Story, TheRowDoesNotDependOnTheDetail) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story row = test::tiny_story(model, {.text = kText, .detail = StoryDetail::row});
  const Story whole = test::tiny_story(model, {.text = kText, .detail = StoryDetail::model});
  ASSERT_EQ(row.hash, whole.hash);
  for (const TraceTensor& tensor : row.trace.tensors()) {
    if (tensor.row_of(row.token) < 0 || tensor.axes[0] != "token") continue;
    const auto expected = whole.trace.row(tensor.name, row.token);
    const auto found = row.trace.row(tensor.name, row.token);
    for (std::size_t c = 0; c < found.size(); ++c) {
      if (std::isinf(expected[c])) continue;
      EXPECT_NEAR(found[c], expected[c], 2e-5 * (1 + std::fabs(expected[c]))) << tensor.name;
    }
  }
}

TEST(Story, BothWaysToTheSharesAgree) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = "light lamp"});
  double sum = 0;
  for (const FactTable::Row& row : facts_of(story, 3, "softmax").rows) {
    EXPECT_NEAR(row.values[2], row.values[4], 1e-12);  // straight, and after the subtraction
    EXPECT_NEAR(row.values[2], row.values[5], 1e-6);   // the engine's
    sum += row.values[2];
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Story, HashTellsModelTextAndOptionsApart) {
  LoadedModel model = test::tiny_loaded_model();
  const StoryRequest request = {.text = kText, .layer = 0, .head = 0};
  std::set<std::string> hashes = {test::tiny_story(model, request).hash};
  const auto expect_new = [&](StoryRequest other) {
    EXPECT_TRUE(hashes.insert(test::tiny_story(model, std::move(other)).hash).second);
  };
  EXPECT_FALSE(hashes.insert(test::tiny_story(model, request).hash).second);
  expect_new({.text = std::string(kText) + " ", .layer = 0, .head = 0});
  expect_new({.text = kText, .word = "lamp", .layer = 0, .head = 0});
  expect_new({.text = kText, .layer = 1, .head = 0});
  expect_new({.text = kText, .layer = 0, .head = 1});
  model.transformer.parameters()[17] += 1e-3f;
  expect_new(request);
}

TEST(Story, CompanionsBeginWithTheSameRow) {
  const LoadedModel model = test::tiny_loaded_model();
  StoryRequest request = {.text = kText};
  request.companions = [](const std::string& word) {
    EXPECT_EQ(word, "light");
    return std::vector<Companion>{{"the lamp gave light", "shining", 14, 5},
                                  {"the bag was light", "", 12, 5},
                                  {kText, "the text itself is left out", 4, 4}};
  };
  const Story story = test::tiny_story(model, request);
  ASSERT_EQ(story.companions.size(), 2u);
  const FactTable& table = facts_of(story, 11, "companions");
  EXPECT_EQ(table.columns.size(), 3u);
  EXPECT_TRUE(table.rows[0].label.starts_with("shining"));
  for (const FactTable::Row& row : table.rows) {
    for (const double cosine : row.values) EXPECT_LE(std::fabs(cosine), 1 + 1e-9);
  }
}

TEST(Story, RefusesInOneLine) {
  const LoadedModel model = test::tiny_loaded_model();
  const auto message = [&](StoryRequest request) {
    const auto story = tell_story(model, request, {});
    EXPECT_FALSE(story.ok());
    return story.ok() ? std::string() : story.message();
  };
  EXPECT_NE(message({.text = " "}).find("empty"), std::string::npos);
  EXPECT_NE(message({.text = "\xff"}).find("UTF-8"), std::string::npos);
  EXPECT_NE(message({.text = kText, .word = "moon"}).find("moon"), std::string::npos);
  EXPECT_NE(message({.text = kText, .layer = 2}).find("0 to 1"), std::string::npos);
  EXPECT_NE(message({.text = kText, .head = -1}).find("head -1"), std::string::npos);
  EXPECT_NE(message({.text = std::string(200, '?')}).find("48"), std::string::npos);
}

TEST(PathPicture, EndsAtTheSumAndKeepsWhatThePlaneHolds) {
  const std::vector<PathStep> steps = {{"a", {3, 0, 0}}, {"b", {0, 4, 0}}, {"c", {0, 0, 1}}};
  const PathPicture path = lay_head_to_tail("id", "caption", "zero", {0, 0, 0}, steps);
  ASSERT_EQ(path.points.size(), 4u);
  EXPECT_NEAR(path.points.back().x, std::sqrt(26.0), 1e-9);
  EXPECT_NEAR(path.points.back().y, 0, 1e-9);
  double in_plane = 0;
  for (std::size_t i = 1; i < path.points.size(); ++i) {
    const double dx = path.points[i].x - path.points[i - 1].x;
    const double dy = path.points[i].y - path.points[i - 1].y;
    EXPECT_LE(dx * dx + dy * dy, dot(steps[i - 1].vector, steps[i - 1].vector) + 1e-9);
    in_plane += dx * dx + dy * dy;
  }
  EXPECT_NEAR(path.share, in_plane / 26, 1e-9);
  // In the plane already: nothing is lost.
  const PathPicture flat =
      lay_head_to_tail("id", "", "", {0, 0, 5}, {{"a", {1, 2, 0}}, {"b", {3, -1, 0}}});
  EXPECT_NEAR(flat.share, 1, 1e-9);
  // Nothing to lay.
  EXPECT_EQ(lay_head_to_tail("id", "", "", {0, 0}, {{"a", {0, 0}}}).share, 1);
}

TEST(Words, NumbersAsPeopleReadThem) {
  EXPECT_EQ(percent(0.614), "61 %");
  EXPECT_EQ(percent(0.0314), "3.1 %");
  EXPECT_EQ(percent(0.0001), "under 0.1 %");
  EXPECT_EQ(percent(-0.12), "−12 %");
  EXPECT_EQ(percent(0), "0.0 %");
  EXPECT_EQ(number(-12.312), "−12.31");
  EXPECT_EQ(number(0.46441), "0.4644");
  EXPECT_EQ(number(3.24e-7), "3.2e-07");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "−∞");
  EXPECT_EQ(readable_token(" light"), "light");
  EXPECT_EQ(readable_token(" "), "␣");
}

TEST(Measures, OfKnownMatrices) {
  const std::vector<float> a = {3, 4};
  const std::vector<float> b = {4, -3};
  EXPECT_DOUBLE_EQ(length_of(a), 5);
  EXPECT_DOUBLE_EQ(cosine_of(a, b), 0);
  EXPECT_DOUBLE_EQ(cosine_of(a, std::vector<float>{0, 0}), 0);
  EXPECT_DOUBLE_EQ(spread_of(std::vector<float>{1, 3}), 1);
  EXPECT_EQ(largest_columns(std::vector<float>{1, 3, 2, 3}, 3),
            (std::vector<std::int64_t>{1, 3, 2}));
  EXPECT_EQ(largest_of(std::vector<float>{1, 3, 2}, 1), 2);
  EXPECT_EQ(largest_of(std::vector<float>{1}, 0), std::nullopt);
  Matrix square(2, 2);
  square.at(0, 1) = 3;
  square.at(1, 0) = -1;
  const Asymmetry found = asymmetry_of(square);
  EXPECT_EQ(found.difference, 4);
  EXPECT_EQ(found.row, 1);
  EXPECT_EQ(found.column, 0);
}

}  // namespace
}  // namespace limelight
