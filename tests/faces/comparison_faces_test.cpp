// A comparison on the terminal, as data, as a figure and as a page: widths, hostile text, and
// digits.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/utf8.h"
#include "faces/comparison_json.h"
#include "faces/html/comparison_html.h"
#include "faces/svg/comparison_svg.h"
#include "faces/terminal/comparison_text.h"
#include "story/tiny_story.h"

namespace limelight {
namespace {

using testing::HasSubstr;
using testing::Not;

const char* const kHostile = "</script><img src=x> \x1b[31m\xe2\x80\xae light";

Comparison comparison_of(std::vector<std::string> texts) {
  return std::move(compare_texts(test::tiny_loaded_model(),
                                 {.texts = std::move(texts), .word = "light"}, {}))
      .value();
}

void expect_fits(const std::string& text, int width) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(ComparisonText, FitsEveryWidth) {
  const std::vector<std::vector<std::string>> all = {
      {"light", "light"},
      {"the lamp gave light and the bag", kHostile, "光光光光光光 light 💡"},
      std::vector<std::string>(kMostCompared, "and the bag was light")};
  for (const auto& texts : all) {
    const Comparison comparison = comparison_of(texts);
    for (const int width : {40, 57, 80, 132, 200}) {
      expect_fits(comparison_to_text(comparison, {.width = width}), width);
    }
  }
}

TEST(ComparisonText, ColoursOnlyWhenAsked) {
  const Comparison comparison = comparison_of({"the light", kHostile});
  EXPECT_THAT(comparison_to_text(comparison, {.color = true}), HasSubstr("\x1b[1m"));
  EXPECT_THAT(comparison_to_text(comparison, {.color = false}), Not(HasSubstr("\x1b")));
}

TEST(ComparisonText, SaysTheShareOfThePlane) {
  const Comparison comparison = comparison_of({"the light", "and the bag was light"});
  EXPECT_THAT(comparison_to_text(comparison, {.width = 200}),
              HasSubstr(fmt::format("Together {:.0f} % of the variance",
                                    100 * (comparison.x_share + comparison.y_share))));
}

TEST(ComparisonJson, HasEveryNumberOfIt) {
  const Comparison comparison = comparison_of({"the lamp gave light", "and the bag was light"});
  const auto json = nlohmann::json::parse(comparison_to_json(comparison));
  for (std::size_t depth = 0; depth < comparison.cosines.size(); ++depth) {
    EXPECT_FLOAT_EQ(json["cosines"][depth][0][1].get<float>(),
                    static_cast<float>(comparison.cosines[depth].at(0, 1)));
  }
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    const auto& text = json["texts"][i];
    const ComparedText& expected = comparison.texts[i];
    ASSERT_EQ(text["contributions"].size(), expected.contributions.size());
    for (std::size_t from = 0; from < expected.contributions.size(); ++from) {
      EXPECT_FLOAT_EQ(text["contributions"][from]["share"].get<float>(),
                      static_cast<float>(expected.contributions[from].share));
    }
    EXPECT_EQ(text["points"].size(), expected.points.size());
  }
  EXPECT_TRUE(json["proof"]["holds"]);
}

TEST(ComparisonFaces, NoneLetsTextOutOfItsPlace) {
  const Comparison comparison = comparison_of({kHostile, "the light"});
  EXPECT_EQ(nlohmann::json::parse(comparison_to_json(comparison))["texts"][0]["text"], kHostile);
  for (const std::string& file : {comparison_to_svg(comparison), comparison_to_html(comparison)}) {
    EXPECT_THAT(file, Not(HasSubstr("<img")));
    EXPECT_THAT(file, Not(HasSubstr("\x1b")));
    EXPECT_THAT(file, HasSubstr(comparison.hash));
  }
}

TEST(ComparisonSvg, HasAPathForEachTextAndADotForEachLayer) {
  const Comparison comparison = comparison_of({"the light", "a light", "and the bag was light"});
  const std::string svg = comparison_to_svg(comparison);
  for (const char* name : {"path text-A", "path text-B", "path text-C"}) {
    EXPECT_THAT(svg, HasSubstr(name));
  }
  std::size_t dots = 0;
  for (std::size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) ++dots;
  EXPECT_EQ(std::ssize(comparison.texts) * comparison.depths(), static_cast<std::ptrdiff_t>(dots));
}

}  // namespace
}  // namespace limelight
