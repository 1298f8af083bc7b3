#include "faces/terminal/plane_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace limelight {
namespace {

constexpr int kMostColumns = 76;
constexpr int kFrame = 4;  // two blanks, the line, a blank
constexpr int kMostRows = 24;
constexpr double kAspect = 2;  // a character is about twice as high as it is wide

/// A field of characters that the points' range is laid on.
class Plot {
 public:
  Plot(const Comparison& comparison, int columns) {
    double right = -std::numeric_limits<double>::infinity();
    double bottom = -right;
    for (const ComparedText& text : comparison.texts) {
      for (const PlanePoint& point : text.points) {
        left_ = std::min(left_, point.x);
        right = std::max(right, point.x);
        bottom = std::min(bottom, point.y);
        top_ = std::max(top_, point.y);
      }
    }
    const double across = std::max(right - left_, 1e-12);
    const double up = std::max(top_ - bottom, 1e-12);
    // Units a column: what the wider of the two directions needs.
    unit_ = std::max(across / (columns - 1), up / (kAspect * (kMostRows - 1)));
    const auto rows = static_cast<std::size_t>(std::lround(up / (kAspect * unit_))) + 1;
    field_.assign(rows, std::string(static_cast<std::size_t>(columns), ' '));
  }

  void put(const PlanePoint& point, char mark) {
    const auto row = static_cast<std::size_t>(std::lround((top_ - point.y) / (kAspect * unit_)));
    const auto column = static_cast<std::size_t>(std::lround((point.x - left_) / unit_));
    char& place =
        field_[std::min(row, field_.size() - 1)][std::min(column, field_.front().size() - 1)];
    // What one text leaves on its own mark is that text's; a capital stays.
    const bool same = std::tolower(place) == std::tolower(mark);
    if (place == ' ' || same) {
      place = std::min(place == ' ' ? mark : place, mark);
    } else {
      place = '+';
    }
  }

  std::string write() const {
    std::string out;
    for (std::string row : field_) {
      row.erase(row.find_last_not_of(' ') + 1);
      out += row.empty() ? "  │" : "  │ ";
      for (const char c : row) out += c == kStart ? "·" : std::string(1, c);
      out += "\n";
    }
    out += "  └";
    for (std::size_t column = 0; column <= field_.front().size(); ++column) out += "─";
    return out + "\n";
  }

  static constexpr char kStart = '.';

 private:
  double left_ = std::numeric_limits<double>::infinity();
  double top_ = -std::numeric_limits<double>::infinity();
  double unit_ = 1;
  std::vector<std::string> field_;
};

}  // namespace

std::string plane_plot(const Comparison& comparison, const TerminalStyle& style) {
  Plot plot(comparison, std::min(style.width - kFrame, kMostColumns));
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    const char capital = text_letter(i).front();
    const auto& points = comparison.texts[i].points;
    for (std::size_t depth = 0; depth < points.size(); ++depth) {
      const bool last = depth + 1 == points.size();
      const auto between = static_cast<char>(std::tolower(capital));
      plot.put(points[depth], depth == 0 ? Plot::kStart : last ? capital : between);
    }
  }
  return plot.write();
}

}  // namespace limelight
