#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "faces/svg/weights_figure.h"

namespace limelight {
namespace {

constexpr double kFontSize = 12;
constexpr double kWordGap = 14;    // between two words
constexpr double kRise = 0.42;     // of an arc's span: how high its handles stand
constexpr double kLoop = 22;       // height of the handles where a word looks at itself
constexpr double kFaintest = 0.1;  // other words' arcs are drawn from this weight on
constexpr double kThickest = 7;    // stroke of a weight of 1

struct Line {
  double left, baseline, spacing;

  double x(std::int64_t token) const { return left + (static_cast<double>(token) + 0.5) * spacing; }
  double foot() const { return baseline - kFontSize - 4; }
};

double rise(const Line& line, std::int64_t from, std::int64_t to) {
  const double span = std::fabs(line.x(from) - line.x(to));
  return span == 0 ? kLoop : 14 + kRise * span;
}

/// A cubic curve rises to three quarters of its handles.
double height_over(const Line& line, const TraceTensor& weights) {
  return 0.75 * rise(line, 0, std::max<std::int64_t>(1, weights.values.columns - 1)) + kThickest;
}

void draw_arc(SvgDocument& svg, const Line& line, std::int64_t from, std::int64_t to, float weight,
              std::string_view stroke) {
  const double lean = from == to ? line.spacing * 0.35 : 0;
  const double top = line.foot() - rise(line, from, to);
  svg.path(fmt::format("M{:.2f} {:.2f}C{:.2f} {:.2f} {:.2f} {:.2f} {:.2f} {:.2f}",
                       line.x(from) + lean / 3, line.foot(), line.x(from) + lean, top,
                       line.x(to) - lean, top, line.x(to) - lean / 3, line.foot()),
           0.5 + (kThickest - 0.5) * static_cast<double>(weight), stroke);
}

/// Arcs of the words that the story is not about: grey, and only where they say something.
void draw_other_arcs(SvgDocument& svg, const Story& story, const TraceTensor& weights,
                     const Line& line) {
  for (std::int64_t row = 0; row < weights.values.rows; ++row) {
    const std::int64_t token = weights.token_of(row);
    if (token == story.token) continue;
    for (std::int64_t key = 0; key < weights.values.columns; ++key) {
      const float weight = weights.values.at(row, key);
      if (static_cast<double>(weight) >= kFaintest) {
        draw_arc(svg, line, token, key, weight, "#ccc");
      }
    }
  }
}

void draw_word_arcs(SvgDocument& svg, const Story& story, const TraceTensor& weights,
                    const Line& line) {
  const std::int64_t row = weights.row_of(story.token);
  if (row < 0) return;
  for (std::int64_t key = 0; key < weights.values.columns; ++key) {
    const float weight = weights.values.at(row, key);
    if (weight == 0) continue;
    draw_arc(svg, line, story.token, key, weight, "#08306b");
    svg.text(line.x(key), line.baseline + kFontSize + 4, TextAnchor::middle,
             fmt::format("{:.2f}", weight), R"(font-size="10" fill="#08306b")");
  }
}

}  // namespace

FigureSize draw_arcs(SvgDocument& svg, const Story& story, const TraceTensor& weights, double x,
                     double y) {
  const auto tokens = static_cast<double>(story.ids.size());
  Line line = {x, y, widest_label(story, kFontSize) + kWordGap};
  line.baseline = y + height_over(line, weights) + kFontSize + 4;
  svg.open_group(fmt::format(R"(font-size="{}")", kFontSize));
  draw_other_arcs(svg, story, weights, line);
  draw_word_arcs(svg, story, weights, line);
  for (std::int64_t token = 0; token < std::ssize(story.ids); ++token) {
    svg.text(line.x(token), line.baseline, TextAnchor::middle, figure_label(story, token),
             token == story.token ? R"(font-weight="bold")" : "");
  }
  svg.close_group();
  return {tokens * line.spacing, line.baseline + 2 * kFontSize + 4 - y};
}

}  // namespace limelight
