#include "faces/terminal/fact_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "base/utf8.h"
#include "story/narrator.h"

namespace limelight {
namespace {

constexpr int kLeastColumn = 9;
constexpr int kMostLabel = 44;
constexpr int kLeastLabel = 16;  // where the columns would leave less

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string each; std::getline(stream, each);) lines.push_back(each);
  return lines;
}

int widest_word(const std::string& text) {
  int widest = 0;
  for (const std::string& word : lines_of(wrapped(text, 1))) {
    widest = std::max(widest, display_width(word));
  }
  return widest;
}

/// Columns [first, last) of a table beside its labels.
class TableWriter {
 public:
  TableWriter(const FactTable& table, const TerminalStyle& style) : table_(table), style_(style) {
    for (const std::string& name : table.columns) {
      column_ = std::max(column_, widest_word(name) + 1);
    }
    for (const FactTable::Row& row : table.rows) {
      label_ = std::max(label_, display_width(row.label));
    }
    const auto columns = static_cast<int>(table.columns.size());
    label_ =
        std::min({label_, kMostLabel, std::max(kLeastLabel, style.width - 2 - columns * column_)});
    fit_ = std::max(1, (style.width - 2 - label_) / column_);
  }

  std::string write() {
    const auto columns = static_cast<int>(table_.columns.size());
    for (int first = 0; first < columns; first += fit_) {
      const int last = std::min(columns, first + fit_);
      names(first, last);
      for (const FactTable::Row& row : table_.rows) numbers(row, first, last);
    }
    return std::move(out_);
  }

 private:
  void line(const std::string& text) { out_ += text + "\n"; }

  /// The columns' names over several lines, each ending at its column's right edge.
  void names(int first, int last) {
    std::vector<std::vector<std::string>> names;
    std::size_t height = 0;
    for (int c = first; c < last; ++c) {
      names.push_back(lines_of(wrapped(table_.columns[static_cast<std::size_t>(c)], column_ - 1)));
      height = std::max(height, names.back().size());
    }
    for (std::size_t row = 0; row < height; ++row) {
      std::string text(static_cast<std::size_t>(label_) + 2, ' ');
      for (const auto& name : names) {
        const std::size_t blank = height - name.size();
        text += pad_left(row < blank ? "" : name[row - blank], column_);
      }
      line(style_.dim(text));
    }
  }

  void numbers(const FactTable::Row& row, int first, int last) {
    const std::vector<std::string> labels = lines_of(wrapped(printable_cell(row.label), label_, 2));
    for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
      line("  " + printable_cell(labels[i], label_));
    }
    const std::string last_label = labels.empty() ? "" : labels.back();
    std::string text = "  " + pad_right(printable_cell(last_label, label_), label_);
    for (int c = first; c < last && c < std::ssize(row.values); ++c) {
      text += pad_left(cell_text(row.values[static_cast<std::size_t>(c)]), column_);
    }
    line(text);
  }

  const FactTable& table_;
  const TerminalStyle& style_;
  int column_ = kLeastColumn;
  int label_ = 4;
  int fit_ = 1;
  std::string out_;
};

}  // namespace

std::string cell_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  const double size = std::fabs(value);
  if (value == std::floor(value) && size < 1e6) return with_minus(fmt::format("{:.0f}", value));
  if (size >= 1e5 || size < 5e-5) return with_minus(fmt::format("{:.1e}", value));
  return with_minus(fmt::format("{:.{}f}", value, size >= 1000 ? 1 : size >= 100 ? 2 : 4));
}

std::string fact_table(const FactTable& table, const TerminalStyle& style) {
  return TableWriter(table, style).write();
}

}  // namespace limelight
