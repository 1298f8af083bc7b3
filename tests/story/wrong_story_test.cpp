#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "story/steps/steps.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

const char* const kText = "the lamp gave light and the bag was light";

class WrongStory : public testing::TestWithParam<KnownBug> {
 protected:
  Story tell(StoryDetail detail = StoryDetail::head, const char* text = kText) const {
    return test::tiny_story(
        model_, {.text = text, .layer = 1, .head = 1, .detail = detail, .bug = GetParam().bug});
  }
  const LoadedModel model_ = test::tiny_loaded_model();
};

INSTANTIATE_TEST_SUITE_P(All, WrongStory, testing::ValuesIn(known_bugs()),
                         [](const auto& bug) { return std::string(bug.param.name); });

const Step& last_step(const Story& story) { return story.told().steps.back(); }

const FactTable& facts_of(const Story& story, const std::string& id) {
  for (const StoryBlock& block : last_step(story).blocks) {
    const auto* table = std::get_if<FactTable>(&block);
    if (table != nullptr && table->id == id) return *table;
  }
  throw std::runtime_error("no facts called " + id);
}

RightAndWrong tested(const Story& story, const std::string& begin) {
  for (const FactTable::Row& row : facts_of(story, "wrong_tests").rows) {
    if (row.label.starts_with(begin)) return {row.values[0], row.values[1]};
  }
  throw std::runtime_error("no test begins with " + begin);
}

TEST_P(WrongStory, IsARightStoryAndAStepMore) {
  for (const StoryDetail detail : {StoryDetail::row, StoryDetail::head, StoryDetail::model}) {
    const Story story = tell(detail);
    EXPECT_EQ(story.damage->bug, GetParam().bug);
    EXPECT_EQ(story.proof.holds(), GetParam().bug == Bug::mask_after_softmax_renormalised);
    for (const Telling& telling : story.tellings) {
      ASSERT_EQ(std::ssize(telling.steps), kStepCount + 1);
      const Step& step = telling.steps.back();
      EXPECT_EQ(step.number, kStepCount + 1);
      EXPECT_EQ(step.id, "wrong");
      std::set<std::string> ids;
      for (const StoryBlock& block : step.blocks) {
        if (const auto* table = std::get_if<TensorTable>(&block)) {
          EXPECT_TRUE(ids.insert(table->id).second) << table->id;
          EXPECT_TRUE(story.trace.contains(table->tensor)) << table->tensor;
        }
        if (const auto* table = std::get_if<FactTable>(&block)) {
          EXPECT_TRUE(ids.insert(table->id).second) << table->id;
          for (const FactTable::Row& row : table->rows) {
            EXPECT_EQ(row.values.size(), table->columns.size()) << table->id;
          }
        }
      }
    }
  }
}

TEST_P(WrongStory, HoldsForTextsOfAnyKind) {
  for (const char* text : {"x", "?!", "naïve 光 💡", "the the the the", "\tlight\n"}) {
    for (const StoryDetail detail : {StoryDetail::row, StoryDetail::head}) {
      EXPECT_EQ(tell(detail, text).told().steps.back().id, "wrong");
    }
  }
}

TEST_P(WrongStory, HasANameOfItsOwn) {
  const Story right = test::tiny_story(model_, {.text = kText, .layer = 1, .head = 1});
  EXPECT_NE(tell().hash, right.hash);
  EXPECT_FALSE(right.damage);
}

// The head is chosen by the right run, so that both can be laid beside each other.
TEST_P(WrongStory, LooksAtTheSameHeadAsTheRightOne) {
  const Story right = test::tiny_story(model_, {.text = kText});
  const Story wrong = test::tiny_story(model_, {.text = kText, .bug = GetParam().bug});
  EXPECT_EQ(wrong.told().layer, right.told().layer);
  EXPECT_EQ(wrong.told().head, right.told().head);
  const auto found = wrong.trace.row(
      head_tensor(right.told().layer, right.told().head, "right_weights"), right.token);
  const auto expected =
      right.trace.row(head_tensor(right.told().layer, right.told().head, "weights"), right.token);
  for (std::size_t j = 0; j < found.size(); ++j) EXPECT_EQ(found[j], expected[j]);
}

TEST_P(WrongStory, SaysWhatBreaksAndWhatDoesNot) {
  const Story story = tell();
  std::string said;
  for (const StoryBlock& block : last_step(story).blocks) {
    if (const auto* prose = std::get_if<Prose>(&block)) said += prose->text + "\n";
  }
  for (const InvariantProof& invariant : story.proof.invariants) {
    const auto named = said.find(invariant.invariant);
    if (story.proof.holds()) {
      EXPECT_EQ(named, std::string::npos);
      continue;
    }
    const auto unbroken = said.find("It does not break");
    ASSERT_NE(named, std::string::npos) << invariant.invariant;
    EXPECT_EQ(named > unbroken, invariant.holds) << invariant.invariant;
  }
  EXPECT_EQ(said.find("Nothing breaks") != std::string::npos, story.proof.holds());
  EXPECT_NE(said.find(GetParam().recognise), std::string::npos);
}

TEST_P(WrongStory, CausesTheFutureToShowWhereTheMistakeIsOne) {
  const std::set<Bug> leaking = {Bug::softmax_over_queries, Bug::mask_after_softmax,
                                 Bug::finite_mask, Bug::heads_wrong_axis};
  const RightAndWrong moved = *tell().damage->moved_by_last_word;
  EXPECT_EQ(moved.right, 0);
  if (leaking.contains(GetParam().bug)) {
    EXPECT_GT(moved.wrong, 5e-6);
  } else {
    EXPECT_LT(moved.wrong, 2e-6);
  }
}

TEST_P(WrongStory, ForgetsTheOrderOnlyWithoutPositions) {
  const RightAndWrong moved = *tell().damage->moved_by_order;
  EXPECT_GT(moved.right, 1e-2);
  if (GetParam().bug == Bug::no_position) {
    EXPECT_LT(moved.wrong, 1e-5);
  } else {
    EXPECT_GT(moved.wrong, 1e-3);
  }
}

TEST(WrongStoryTests, KnowTheMarkOfEachMistake) {
  const LoadedModel model = test::tiny_loaded_model();
  const auto tell = [&](Bug bug) { return test::tiny_story(model, {.text = kText, .bug = bug}); };
  const double head_dim = 8;
  const double width = 16;
  const RightAndWrong by_width = tested(tell(Bug::scale_by_width), "score / dot product");
  EXPECT_NEAR(by_width.right, 1 / std::sqrt(head_dim), 1e-6);
  EXPECT_NEAR(by_width.wrong, 1 / std::sqrt(width), 1e-6);
  EXPECT_NEAR(tested(tell(Bug::no_scale), "score / dot product").wrong, 1, 1e-6);

  const Story queries = tell(Bug::softmax_over_queries);
  EXPECT_LT(tested(queries, "a column's weights").wrong, 1e-5);
  EXPECT_GT(tested(queries, "a column's weights").right, 1e-2);
  EXPECT_GT(tested(queries, "a row's weights").wrong, 1e-2);
  EXPECT_GT(tested(tell(Bug::mask_after_softmax), "a row's weights").wrong, 1e-2);
  EXPECT_GT(tested(tell(Bug::finite_mask), "a hidden word's").wrong, 0);
  EXPECT_EQ(tested(tell(Bug::finite_mask), "a hidden word's").right, 0);
  EXPECT_GT(tested(tell(Bug::heads_wrong_axis), "query against").wrong, 1e-2);
  EXPECT_LT(tested(tell(Bug::heads_wrong_axis), "query against").right, 1e-5);
}

TEST(WrongStoryTests, StandInsHideTheMoreTheLowerTheyAre) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = kText, .bug = Bug::finite_mask});
  const FactTable& table = facts_of(story, "wrong_stand_ins");
  ASSERT_EQ(table.rows.size(), 6u);
  for (std::size_t i = 1; i < table.rows.size(); ++i) {
    EXPECT_LE(table.rows[i].values[0], table.rows[i - 1].values[0]);
  }
  EXPECT_EQ(table.rows[0].label, "−1");
  EXPECT_GT(table.rows[0].values[0], 0.01);
  EXPECT_EQ(table.rows[4].values[0], 0);
  for (const FactTable::Row& row : table.rows) EXPECT_NEAR(row.values[1], 1, 1e-12);
  EXPECT_EQ(table.rows[4].values[2], -1e4);
  EXPECT_EQ(table.rows[5].values[2], -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace limelight
