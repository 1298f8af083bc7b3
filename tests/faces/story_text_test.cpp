#include "faces/terminal/story_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/utf8.h"
#include "faces/story_json.h"
#include "story/steps/steps.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

const char* const kHostile = "light </script><img src=x> \x1b[31m\xe2\x80\xae 光 light";

void expect_fits(const std::string& text, int width) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(StoryText, FitsEveryWidth) {
  const LoadedModel model = test::tiny_loaded_model();
  for (const char* text : {"the lamp gave light and the bag was light", "光光光光 light 💡💡", "x"}) {
    for (const StoryDetail detail : {StoryDetail::row, StoryDetail::head}) {
      const Story story = test::tiny_story(model, {.text = text, .detail = detail});
      for (const int width : {40, 57, 80, 132, 200}) {
        expect_fits(story_to_text(story, {}, {.width = width}), width);
        expect_fits(story_to_text(story, {.brief = true}, {.width = width}), width);
      }
    }
  }
}

TEST(StoryText, TellsOneStepOrAllAndNamesTheStory) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = "the lamp gave light"});
  const std::string all = story_to_text(story, {}, {.width = 80});
  for (const Step& step : story.told().steps) {
    const std::string title = fmt::format("{}  {}", step.number, step.title);
    EXPECT_NE(all.find(title), std::string::npos) << title;
    const std::string one = story_to_text(story, {.step = step.number}, {.width = 80});
    EXPECT_NE(one.find(title), std::string::npos);
    EXPECT_EQ(one.find(step.number == 3 ? "4  Mixing" : "3  From scores"), std::string::npos);
    EXPECT_NE(one.find(story.hash), std::string::npos);
  }
  EXPECT_LT(story_to_text(story, {.brief = true}, {.width = 80}).size(), all.size() / 2);
}

TEST(StoryText, NoControlReachesTheScreen) {
  const LoadedModel model = test::tiny_loaded_model();
  const std::string text =
      story_to_text(test::tiny_story(model, {.text = kHostile}), {}, {.width = 80});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
}

TEST(StoryText, SaysLoudlyWhatIsViolated) {
  const LoadedModel model = test::tiny_loaded_model();
  Story story = test::tiny_story(model, {.text = "the lamp gave light"});
  story.proof.invariants.front().holds = false;
  EXPECT_NE(story_to_text(story, {.brief = true}, {.width = 80}).find("VIOLATED"),
            std::string::npos);
}

std::vector<float> decoded(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned char> bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : base64) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<unsigned char>(bits >> count));
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// The numbers of a tensor in nested arrays against those packed beside it.
void expect_same_numbers(const nlohmann::json& rows, const std::vector<float>& packed,
                         MatrixView values) {
  ASSERT_EQ(std::ssize(packed), values.rows * values.columns);
  for (std::int64_t i = 0; i < std::ssize(packed); ++i) {
    const float value = values.at(i / values.columns, i % values.columns);
    ASSERT_EQ(packed[static_cast<std::size_t>(i)], value);
    if (rows.is_null()) continue;  // a parameter
    const nlohmann::json& written = rows.at(static_cast<std::size_t>(i / values.columns))
                                        .at(static_cast<std::size_t>(i % values.columns));
    ASSERT_EQ(written.is_null(), !std::isfinite(value));
    if (!written.is_null()) {
      ASSERT_EQ(written.get<float>(), value);
    }
  }
}

TEST(StoryJson, BothEncodingsHoldTheTracesNumbers) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story = test::tiny_story(model, {.text = kHostile});
  const auto arrays = nlohmann::json::parse(story_to_json(story, TensorEncoding::arrays));
  const auto packed = nlohmann::json::parse(story_to_json(story, TensorEncoding::base64));
  EXPECT_EQ(arrays.at("text").get<std::string>(), kHostile);
  const nlohmann::json& tensors = packed.at("tensors");
  ASSERT_GT(tensors.size(), 30u);
  for (auto entry = tensors.begin(); entry != tensors.end(); ++entry) {
    SCOPED_TRACE(entry.key());
    const auto written = arrays.at("tensors").find(entry.key());
    const bool there = written != arrays.at("tensors").end();
    expect_same_numbers(there ? written->at("values") : nlohmann::json(),
                        decoded(entry.value().at("data").get<std::string>()),
                        story.trace.values(entry.key()));
  }
}

TEST(StoryJson, WhatIsToldIsThere) {
  const LoadedModel model = test::tiny_loaded_model();
  const Story story =
      test::tiny_story(model, {.text = "the lamp gave light", .detail = StoryDetail::model});
  const auto json = nlohmann::json::parse(story_to_json(story, TensorEncoding::base64));
  EXPECT_EQ(json["format"].get<std::string>(), "limelight-story-1");
  ASSERT_EQ(json["tellings"].size(), 4u);
  for (const auto& telling : json["tellings"]) {
    ASSERT_EQ(telling["steps"].size(), static_cast<std::size_t>(kStepCount));
    for (const auto& step : telling["steps"]) {
      if (step.contains("as_in_first")) continue;
      for (const auto& block : step["blocks"]) {
        if (block["kind"].get<std::string>() != "tensor") continue;
        const auto name = block["tensor"].get<std::string>();
        EXPECT_TRUE(json["tensors"].contains(name)) << name;
      }
    }
  }
  EXPECT_TRUE(
      json["tensors"].contains(head_tensor(story.told().layer, story.told().head, "query_matrix")));
}

}  // namespace
}  // namespace limelight
