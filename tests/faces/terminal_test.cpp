#include <gtest/gtest.h>

#include <sstream>

#include "base/utf8.h"
#include "faces/terminal/heat_matrix.h"

namespace limelight {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Causal weights whose cell (i, j) is known.
Matrix causal(std::int64_t tokens) {
  Matrix weights(tokens, tokens);
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      weights.at(i, j) = 2.0f * static_cast<float>(j + 1) / static_cast<float>((i + 1) * (i + 2));
    }
  }
  return weights;
}

std::vector<std::string> labels(std::int64_t tokens) {
  std::vector<std::string> names;
  for (std::int64_t t = 0; t < tokens; ++t) names.push_back("t" + std::to_string(t));
  return names;
}

TEST(HeatMatrix, ShowsEveryVisibleWeightInDigits) {
  const auto lines =
      lines_of(heat_matrix(causal(3), CellKind::weights, labels(3), 2, {.width = 80}));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_NE(lines[1].find("1.0"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find(".33"), std::string::npos) << lines[2];
  EXPECT_NE(lines[2].find(".67"), std::string::npos) << lines[2];
  for (const char* digits : {".17", ".33", ".50"}) {
    EXPECT_NE(lines[3].find(digits), std::string::npos) << lines[3];
  }
  EXPECT_TRUE(lines[3].starts_with("> t2")) << lines[3];
}

TEST(HeatMatrix, FitsAnyWidthAndSaysWhatWasLeftOut) {
  for (const int width : {40, 60, 80, 120}) {
    const std::string text =
        heat_matrix(causal(100), CellKind::weights, labels(100), 99, {.width = width});
    for (const std::string& line : lines_of(text)) EXPECT_LE(display_width(line), width) << line;
    EXPECT_NE(text.find("of 0 to 99"), std::string::npos);
    EXPECT_NE(text.find("> t99"), std::string::npos);
  }
}

TEST(HeatMatrix, ColourNeedsATerminal) {
  EXPECT_EQ(heat_matrix(causal(4), CellKind::weights, labels(4), 3, {.width = 80}).find('\x1b'),
            std::string::npos);
  EXPECT_NE(heat_matrix(causal(4), CellKind::weights, labels(4), 3, {.width = 80, .color = true})
                .find("\x1b[48;5;"),
            std::string::npos);
}

TEST(Wrapped, NeverExceedsTheWidthUnlessAWordDoes) {
  const std::string text = "the lamp gave a warm light and the bag was light";
  for (const int width : {8, 13, 20, 100}) {
    for (const std::string& line : lines_of(wrapped(text, width))) {
      EXPECT_LE(display_width(line), width) << line;
    }
  }
}

}  // namespace
}  // namespace limelight
