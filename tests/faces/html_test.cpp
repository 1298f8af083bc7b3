// What no browser is needed for: that text cannot leave its place, and what a page holds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limelight/error.h>

#include <nlohmann/json.hpp>

#include "faces/html/html_page.h"
#include "faces/html/story_html.h"
#include "faces/page_tensors.h"
#include "faces/story_json.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

using testing::HasSubstr;
using testing::Not;

HtmlPage page_of(std::string_view json) {
  return {.title = "t", .summary = "s", .hash = "0a1b", .style = "", .script = "", .json = json};
}

TEST(FillPage, LeavesNoWayOutOfTheData) {
  const std::string page = fill_page(page_of("[\"</script><!-- & \xe2\x80\xa8\xe2\x80\xa9\"]"));
  EXPECT_THAT(page, HasSubstr("[\"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028\\u2029\"]"));
}

TEST(FillPage, LeavesOtherPunctuationOfItsBlockAsItIs) {
  const std::string page = fill_page(page_of("[\"\xe2\x80\x9clight\xe2\x80\x9d\"]"));
  EXPECT_THAT(page, HasSubstr("[\"\xe2\x80\x9clight\xe2\x80\x9d\"]"));
}

TEST(FillPage, EndsCleanlyAfterHalfACharacter) {
  EXPECT_THAT(fill_page(page_of("\xe2\x80")), HasSubstr("\xe2\x80</script>"));
}

TEST(FillPage, EscapesTheTitleAndTheSummary) {
  HtmlPage page = page_of("{}");
  page.title = "</title><script>";
  page.summary = "a \"b\" & \x01";
  const std::string html = fill_page(page);
  EXPECT_THAT(html, HasSubstr("<title>&lt;/title&gt;&lt;script&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("a &quot;b&quot; &amp; \xef\xbf\xbd"));
}

TEST(FillPage, DoesNotFillWhatItFilledIn) {
  HtmlPage page = page_of("[\"{{nonce}}\"]");
  page.title = "{{data}}";
  const std::string html = fill_page(page);
  EXPECT_THAT(html, HasSubstr("<title>{{data}}</title>"));
  EXPECT_THAT(html, HasSubstr("[\"{{nonce}}\"]"));
}

TEST(FillPage, RefusesAHashThatCouldEndAnAttribute) {
  HtmlPage page = page_of("{}");
  for (const char* hash : {"", "0a'", "0a\"onload=", "XYZ"}) {
    page.hash = hash;
    EXPECT_THROW(fill_page(page), Error) << hash;
  }
}

TEST(StoryHtml, HoldsItsModulesWithoutTheirImports) {
  const LoadedModel model = test::tiny_loaded_model();
  const std::string page = story_to_html(test::tiny_story(model, {.text = "the lamp gave light"}));
  EXPECT_THAT(page, HasSubstr("class StoryPage"));
  EXPECT_THAT(page, Not(HasSubstr("\nimport ")));
  EXPECT_THAT(page, Not(HasSubstr("\nexport ")));
  for (const char* address : {"src=", "href=\"http", "@import", "url(http"}) {
    EXPECT_THAT(page, Not(HasSubstr(address)));
  }
}

class PageTensors : public testing::Test {
 protected:
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = "the lamp gave light and the bag",
                                               .layer = 0,
                                               .head = 0,
                                               .detail = StoryDetail::model});
  const std::map<std::string, PageRows> held = page_tensors(story);
};

TEST_F(PageTensors, HoldsAllOfTheFirstTelling) {
  for (const char* name : {"layer.0.head.0.query_matrix", "layer.0.head.0.query",
                           "layer.0.head.0.input_mix", "layer.0.head.0.unscaled_weights"}) {
    ASSERT_TRUE(held.contains(name)) << name;
    EXPECT_EQ(held.at(name), PageRows::all) << name;
  }
}

TEST_F(PageTensors, HoldsOfOthersNoParametersAndOnlyTheRowThatIsShown) {
  EXPECT_FALSE(held.contains("layer.1.head.1.query_matrix"));
  EXPECT_EQ(held.at("layer.1.head.1.input_mix"), PageRows::word);
  EXPECT_EQ(held.at("layer.1.head.1.write"), PageRows::word);
}

TEST_F(PageTensors, KeepsWholeWhatWholeTablesAreMadeOf) {
  for (const char* name : {"layer.1.head.1.weights", "layer.1.head.1.masked_scores",
                           "layer.1.head.1.query", "layer.1.head.1.key", "layer.1.head.1.value"}) {
    EXPECT_EQ(held.at(name), PageRows::all) << name;
  }
}

TEST_F(PageTensors, EveryShownTableIsHeldWithTheRowsItShows) {
  for (const Telling& telling : story.tellings) {
    for (const Step& step : telling.steps) {
      for (const StoryBlock& block : step.blocks) {
        const auto* table = std::get_if<TensorTable>(&block);
        if (table == nullptr) continue;
        ASSERT_TRUE(held.contains(table->tensor)) << table->tensor;
        if (table->whole) {
          EXPECT_EQ(held.at(table->tensor), PageRows::all) << table->tensor;
        }
      }
    }
  }
}

TEST_F(PageTensors, AreWrittenWithTheirTokenAndTheirBytes) {
  const auto json = nlohmann::json::parse(story_to_json(story, TensorEncoding::base64));
  const auto& mix = json["tensors"]["layer.1.head.1.input_mix"];
  EXPECT_EQ(mix["shape"][0], 1);
  EXPECT_EQ(mix["rows"], nlohmann::json::array({story.token}));
  EXPECT_EQ(mix["data"].get<std::string>().size(),
            (static_cast<std::size_t>(story.config.width) * 4 + 2) / 3 * 4);
  const auto& proof = json["tensors"]["layer.1.head.1.weights"]["proof"];
  EXPECT_EQ(proof["token"], proof["row"]);
}

/// A later telling's step with what it has as the first.
nlohmann::json whole_step(nlohmann::json step, const nlohmann::json& first) {
  if (step.contains("as_in_first")) return first;
  for (std::size_t i = 0; i < step["blocks"].size(); ++i) {
    nlohmann::json& block = step["blocks"][i];
    if (block["kind"] == "as_in_first") block = first["blocks"][i];
  }
  return step;
}

TEST_F(PageTensors, WhatIsToldWordForWordIsWrittenOnce) {
  const auto json = nlohmann::json::parse(story_to_json(story, TensorEncoding::base64));
  const auto data = nlohmann::json::parse(story_to_json(story, TensorEncoding::arrays));
  ASSERT_EQ(json["tellings"].size(), 4U);
  EXPECT_FALSE(json["tellings"][0]["steps"][0].contains("as_in_first"));
  for (std::size_t t = 0; t < 4; ++t) {
    for (std::size_t s = 0; s < 12; ++s) {
      EXPECT_EQ(whole_step(json["tellings"][t]["steps"][s], json["tellings"][0]["steps"][s]),
                data["tellings"][t]["steps"][s]);
    }
  }
  EXPECT_TRUE(json["tellings"][1]["steps"][0].contains("as_in_first"));
  EXPECT_THAT(json["tellings"].dump(), testing::HasSubstr(R"({"kind":"as_in_first"})"));
}

}  // namespace
}  // namespace limelight
