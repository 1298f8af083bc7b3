#include "faces/terminal/heat_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace limelight {
namespace {

constexpr int kLabelWidth = 11;
constexpr int kCellWidth = 5;  // a blank, a block or a blank, three digits
constexpr std::int64_t kMostRows = 24;

/// Indices [first, last] of the rows and columns that are shown.
struct Window {
  std::int64_t first, last;
};

Window choose_window(std::int64_t tokens, std::int64_t row, int width) {
  const std::int64_t fit =
      std::clamp<std::int64_t>((width - kLabelWidth - 1) / kCellWidth, 1, kMostRows);
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

std::string cell(float weight, bool masked, const TerminalStyle& style) {
  if (masked) return pad_left(style.dim("·"), style.color ? 0 : kCellWidth);
  static constexpr const char* kBlocks[] = {" ", "░", "▒", "▓", "█"};
  if (style.color) return " " + style.shaded(" " + digits(weight), weight);
  const auto block = static_cast<std::size_t>(std::min(4.0, std::ceil(weight * 4 - 0.04)));
  return std::string(" ") + kBlocks[weight < 0.01f ? 0 : block] + digits(weight);
}

std::string header(const std::vector<std::string>& labels, Window window) {
  std::string line(kLabelWidth, ' ');
  for (std::int64_t j = window.first; j <= window.last; ++j) {
    const std::string label = printable_cell(labels[static_cast<std::size_t>(j)], kCellWidth - 1);
    line += pad_left(label, kCellWidth);
  }
  return line + "\n";
}

}  // namespace

std::string heat_matrix(const Matrix& weights, const std::vector<std::string>& labels,
                        std::int64_t row, const TerminalStyle& style) {
  const Window window = choose_window(weights.rows, row, style.width);
  std::string out = header(labels, window);
  for (std::int64_t i = window.first; i <= window.last; ++i) {
    const std::string label = printable_cell(labels[static_cast<std::size_t>(i)], kLabelWidth - 3);
    const std::string padded = (i == row ? "> " : "  ") + pad_right(label, kLabelWidth - 2);
    out += i == row ? style.bold(padded) : padded;
    for (std::int64_t j = window.first; j <= window.last; ++j) {
      if (j > i && style.color) {
        out += std::string(kCellWidth - 1, ' ') + style.dim("·");
      } else {
        out += cell(weights.at(i, j), j > i, style);
      }
    }
    out += "\n";
  }
  if (window.first > 0 || window.last + 1 < weights.rows) {
    const std::string note = fmt::format("  tokens {} to {} of 0 to {}; all of them: --format json",
                                         window.first, window.last, weights.rows - 1);
    out += style.dim(wrapped(note, style.width, 2)) + "\n";
  }
  return out;
}

}  // namespace limelight
