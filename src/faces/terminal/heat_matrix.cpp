#include "faces/terminal/heat_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "story/narrator.h"

namespace limelight {
namespace {

constexpr int kLabelWidth = 11;
constexpr int kWeightWidth = 5;  // a blank, a block or a blank, three digits
constexpr int kScoreWidth = 7;   // a blank, a sign, digits such as 12.34
constexpr std::int64_t kMostRows = 24;

int width_of(CellKind cells) { return cells == CellKind::weights ? kWeightWidth : kScoreWidth; }

/// Indices [first, last] of the rows and columns that are shown.
struct Window {
  std::int64_t first, last;
};

Window choose_window(std::int64_t tokens, std::int64_t row, int width, int cell_width) {
  const std::int64_t fit =
      std::clamp<std::int64_t>((width - kLabelWidth - 1) / cell_width, 1, kMostRows);
  if (tokens <= fit) return {0, tokens - 1};
  // The row that is looked at stays in; what follows it matters less than what it can see.
  const std::int64_t last = std::clamp(row, fit - 1, tokens - 1);
  return {last - fit + 1, last};
}

std::string digits(float weight) {
  const long hundredths = std::lround(weight * 100);
  if (hundredths >= 100) return "1.0";
  return fmt::format(".{:02}", hundredths);
}

std::string weight_cell(float weight, const TerminalStyle& style) {
  static constexpr const char* kBlocks[] = {" ", "░", "▒", "▓", "█"};
  if (style.color) return " " + style.shaded(" " + digits(weight), weight);
  const auto block = static_cast<std::size_t>(std::min(4.0, std::ceil(weight * 4 - 0.04)));
  return std::string(" ") + kBlocks[weight < 0.01f ? 0 : block] + digits(weight);
}

std::string score_cell(float score) {
  const double size = std::fabs(score);
  const char* form = size < 99.995 ? "{:.2f}" : size < 99999.5 ? "{:.0f}" : "{:.0e}";
  return pad_left(with_minus(fmt::format(fmt::runtime(form), score)), kScoreWidth);
}

std::string header(const std::vector<std::string>& labels, Window window, int cell_width) {
  std::string line(kLabelWidth, ' ');
  for (std::int64_t j = window.first; j <= window.last; ++j) {
    const std::string label = printable_cell(labels[static_cast<std::size_t>(j)], cell_width - 1);
    line += pad_left(label, cell_width);
  }
  return line + "\n";
}

}  // namespace

std::string heat_matrix(MatrixView values, CellKind cells, const std::vector<std::string>& labels,
                        std::int64_t row, const TerminalStyle& style) {
  const int cell_width = width_of(cells);
  const Window window = choose_window(values.rows, row, style.width, cell_width);
  std::string out = header(labels, window, cell_width);
  for (std::int64_t i = window.first; i <= window.last; ++i) {
    const std::string label = printable_cell(labels[static_cast<std::size_t>(i)], kLabelWidth - 3);
    const std::string padded = (i == row ? "> " : "  ") + pad_right(label, kLabelWidth - 2);
    out += i == row ? style.bold(padded) : padded;
    for (std::int64_t j = window.first; j <= window.last; ++j) {
      const float value = values.at(i, j);
      const bool masked = cells == CellKind::weights ? j > i && value == 0
                                                     : value < std::numeric_limits<float>::lowest();
      if (masked) {
        out += std::string(static_cast<std::size_t>(cell_width) - 1, ' ') + style.dim("·");
      } else {
        out += cells == CellKind::weights ? weight_cell(value, style) : score_cell(value);
      }
    }
    out += "\n";
  }
  if (window.first > 0 || window.last + 1 < values.rows) {
    const std::string note = fmt::format("  tokens {} to {} of 0 to {}; all of them: --format json",
                                         window.first, window.last, values.rows - 1);
    out += style.dim(wrapped(note, style.width, 2)) + "\n";
  }
  return out;
}

}  // namespace limelight
