#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/utf8.h"
#include "faces/svg/weights_figure.h"
#include "story/narrator.h"

namespace limelight {
namespace {

constexpr double kGap = 6;                // between a label and its cells
constexpr double kSlant = 60;             // degrees by which labels of columns rise
constexpr double kCharacterWidth = 0.62;  // of the font size: a sans-serif's average, and a margin
constexpr double kDark = 0.65;            // from here white digits are read better than black ones

/// From white to a dark blue whose grey is as dark: in print the order stays.
std::string shade_of(float weight) {
  const double share = std::clamp(static_cast<double>(weight), 0.0, 1.0);
  const auto mix = [&](int dark) {
    return static_cast<int>(std::lround(255 + share * (dark - 255)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(8), mix(48), mix(107));
}

struct Grid {
  double left, top;  ///< of the first cell
  double cell_width, cell_height;
  double font_size;

  double x(std::int64_t column) const { return left + static_cast<double>(column) * cell_width; }
  double y(std::int64_t row) const { return top + static_cast<double>(row) * cell_height; }
  /// Where digits and labels of a row stand.
  double baseline(std::int64_t row) const { return y(row) + cell_height / 2 + font_size * 0.36; }
};

void draw_labels(SvgDocument& svg, const Story& story, const TraceTensor& weights,
                 const Grid& grid) {
  const auto weight_of = [&](std::int64_t token) {
    return token == story.token ? R"(font-weight="bold")" : "";
  };
  for (std::int64_t row = 0; row < weights.values.rows; ++row) {
    const std::int64_t token = weights.token_of(row);
    svg.text(grid.left - kGap, grid.baseline(row), TextAnchor::end, figure_label(story, token),
             weight_of(token));
  }
  for (std::int64_t column = 0; column < weights.values.columns; ++column) {
    const double x = grid.x(column) + grid.cell_width / 2;
    const double y = grid.top - kGap;
    svg.text(x, y, TextAnchor::start, figure_label(story, column),
             fmt::format(R"-(transform="rotate({} {:.2f} {:.2f})" {})-", -kSlant, x, y,
                         weight_of(column)));
  }
}

/// Calls body(row, column, weight) for each weight that is not exactly 0.
template <class Body>
void for_each_weight(const TraceTensor& weights, const Body& body) {
  for (std::int64_t row = 0; row < weights.values.rows; ++row) {
    for (std::int64_t column = 0; column < weights.values.columns; ++column) {
      const float weight = weights.values.at(row, column);
      if (weight != 0) body(row, column, weight);
    }
  }
}

void draw_cells(SvgDocument& svg, const Story& story, const TraceTensor& weights,
                const Grid& grid) {
  svg.open_group(R"(stroke="#bbb" stroke-width="0.5")");
  for_each_weight(weights, [&](std::int64_t row, std::int64_t column, float weight) {
    svg.rectangle(grid.x(column), grid.y(row), grid.cell_width, grid.cell_height, shade_of(weight),
                  fmt::format("{} → {}: {}", figure_label(story, weights.token_of(row)),
                              figure_label(story, column), weight));
  });
  svg.close_group();
  svg.open_group(R"(pointer-events="none")");
  for_each_weight(weights, [&](std::int64_t row, std::int64_t column, float weight) {
    svg.text(grid.x(column) + grid.cell_width / 2, grid.baseline(row), TextAnchor::middle,
             fmt::format("{:.2f}", weight), weight >= kDark ? R"(fill="#fff")" : "");
  });
  svg.close_group();
}

}  // namespace

std::string figure_label(const Story& story, std::int64_t token) {
  return readable_token(story.token_texts[static_cast<std::size_t>(token)]);
}

double widest_label(const Story& story, double font_size) {
  int widest = 1;
  for (std::int64_t token = 0; token < std::ssize(story.ids); ++token) {
    widest = std::max(widest, display_width(figure_label(story, token)));
  }
  return widest * kCharacterWidth * font_size;
}

FigureSize draw_matrix(SvgDocument& svg, const Story& story, const TraceTensor& weights, double x,
                       double y, double font_size) {
  const double label = widest_label(story, font_size);
  const double slant = kSlant * std::numbers::pi / 180;
  const Grid grid = {x + label + kGap, y + label * std::sin(slant) + font_size + kGap,
                     3.3 * font_size, 2.2 * font_size, font_size};
  svg.open_group(fmt::format(R"(font-size="{}")", font_size));
  draw_labels(svg, story, weights, grid);
  draw_cells(svg, story, weights, grid);
  svg.close_group();
  if (const std::int64_t row = weights.row_of(story.token); row >= 0) {
    const std::int64_t visible = std::min(story.token + 1, weights.values.columns);
    svg.outline(grid.left, grid.y(row), grid.x(visible) - grid.left, grid.cell_height);
  }
  return {grid.x(weights.values.columns) + label * std::cos(slant) - x,
          grid.y(weights.values.rows) - y};
}

}  // namespace limelight
