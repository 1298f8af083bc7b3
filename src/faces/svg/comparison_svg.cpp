#include "faces/svg/comparison_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/printable.h"
#include "base/utf8.h"
#include "faces/svg/svg_document.h"
#include "story/narrator.h"

namespace limelight {
namespace {

// Okabe and Ito's colours, which hold for every kind of colour vision; yellow is too light for
// lines.
constexpr auto kColors = std::to_array<std::string_view>(
    {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#555555"});
constexpr auto kDashes = std::to_array<std::string_view>({"", "7 3", "2 3", "9 3 2 3"});

constexpr double kWidth = 640;
constexpr double kMargin = 20;
constexpr double kMostHeight = 420;
constexpr double kLeastHeight = 140;
constexpr double kInset = 22;  // between the frame and the outermost point: room for letters
constexpr double kHeadingSize = 13;
constexpr double kTextSize = 10;
constexpr double kNoteSize = 9;
constexpr double kLetterSize = 12;
constexpr double kStartWidth = 110;  // "embedding", also as large as a phone needs it
constexpr double kLetterDistance = 12;
constexpr std::size_t kTextShown = 100;

struct Place {
  double x = 0;
  double y = 0;
};

double distance(Place a, Place b) { return std::hypot(a.x - b.x, a.y - b.y); }

/// From numbers of the plane to the sheet.
class Sheet {
 public:
  Sheet(const Comparison& comparison, double top) : top_(top) {
    for (const ComparedText& text : comparison.texts) {
      for (const PlanePoint& point : text.points) {
        left_ = std::min(left_, point.x);
        right_ = std::max(right_, point.x);
        low_ = std::min(low_, point.y);
        high_ = std::max(high_, point.y);
      }
    }
    const double across = std::max(right_ - left_, 1e-9);
    const double up = std::max(high_ - low_, 1e-9);
    const double room = kWidth - 2 * kMargin - 2 * kInset;
    scale_ = std::min(room / across, (kMostHeight - 2 * kInset) / up);
    height_ = std::max(kLeastHeight, up * scale_ + 2 * kInset);
  }

  Place place(const PlanePoint& point) const {
    return {kWidth / 2 + (point.x - (left_ + right_) / 2) * scale_,
            top_ + height_ / 2 - (point.y - (low_ + high_) / 2) * scale_};
  }
  double top() const { return top_; }
  double bottom() const { return top_ + height_; }
  /// Of the numbers that the frame's edges stand for.
  PlanePoint corner(double x, double y) const {
    return {(left_ + right_) / 2 + (x - kWidth / 2) / scale_,
            (low_ + high_) / 2 - (y - top_ - height_ / 2) / scale_};
  }

 private:
  double top_;
  double left_ = std::numeric_limits<double>::infinity();
  double right_ = -left_;
  double low_ = left_;
  double high_ = -left_;
  double scale_ = 1;
  double height_ = 0;
};

/// 1, 2 or 5 times a power of ten: about six of them in the range.
double step_of(double range) {
  const double rough = range / 6;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

std::string tick_text(double value, double step) {
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  const std::string text = fmt::format("{:.{}f}", std::fabs(value), digits);
  return value < -step / 2 ? "−" + text : text;
}

void draw_frame(SvgDocument& svg, const Sheet& sheet) {
  const double left = kMargin;
  const double right = kWidth - kMargin;
  svg.path(fmt::format("M{0} {1}H{2}V{3}H{0}Z", left, sheet.top(), right, sheet.bottom()), 0.75,
           "#bbb", R"(class="frame")");
  const PlanePoint low = sheet.corner(left, sheet.bottom());
  const PlanePoint high = sheet.corner(right, sheet.top());
  const double step = step_of(std::max(high.x - low.x, high.y - low.y));
  svg.open_group(fmt::format(R"(class="ticks" font-size="{}" fill="#555")", kNoteSize));
  for (double x = std::ceil(low.x / step) * step; x < high.x; x += step) {
    const double at = sheet.place({x, 0}).x;
    svg.path(fmt::format("M{:.2f} {:.2f}v-4", at, sheet.bottom()), 0.75, "#999");
    if (at > left + 10 && at < right - 10) {
      svg.text(at, sheet.bottom() + kNoteSize + 2, TextAnchor::middle, tick_text(x, step));
    }
  }
  for (double y = std::ceil(low.y / step) * step; y < high.y; y += step) {
    const double at = sheet.place({0, y}).y;
    svg.path(fmt::format("M{:.2f} {:.2f}h4", left, at), 0.75, "#999");
    if (at > sheet.top() + 8 && at < sheet.bottom() - 8) {
      svg.text(left + 7, at + kNoteSize / 3, TextAnchor::start, tick_text(y, step));
    }
  }
  svg.close_group();
}

/// Beside its point, on the side where there is most room.
Place free_place(Place point, const std::vector<Place>& taken) {
  constexpr int kSides = 16;
  Place best = point;
  double most = -1;
  for (int side = 0; side < kSides; ++side) {
    const double angle = 2 * 3.14159265358979 * side / kSides;
    const Place at = {point.x + kLetterDistance * std::cos(angle),
                      point.y - kLetterDistance * std::sin(angle)};
    double room = std::numeric_limits<double>::infinity();
    for (const Place& other : taken) {
      if (distance(other, point) > 1e-9) room = std::min(room, distance(other, at));
    }
    if (room > most + 1e-9) {
      most = room;
      best = at;
    }
  }
  return best;
}

std::string color_of(std::size_t index) { return std::string(kColors[index % kColors.size()]); }

std::string dash_of(std::size_t index) {
  const std::string_view dash = kDashes[index / kColors.size() % kDashes.size()];
  return dash.empty() ? "" : fmt::format(R"(stroke-dasharray="{}")", dash);
}

void draw_path(SvgDocument& svg, const Comparison& comparison, std::size_t index,
               const Sheet& sheet) {
  const ComparedText& text = comparison.texts[index];
  std::string line;
  for (const PlanePoint& point : text.points) {
    const Place at = sheet.place(point);
    line += fmt::format("{}{:.2f} {:.2f}", line.empty() ? "M" : "L", at.x, at.y);
  }
  svg.path(line, 1.75, color_of(index),
           dash_of(index) + R"( stroke-linejoin="round" stroke-linecap="round")");
  for (std::size_t depth = 0; depth < text.points.size(); ++depth) {
    const Place at = sheet.place(text.points[depth]);
    const bool last = depth + 1 == text.points.size();
    const auto d = static_cast<std::int64_t>(depth);
    svg.dot(at.x, at.y, last ? 4.5 : 2.75, color_of(index),
            fmt::format("{}, {}: {:.3f}, {:.3f}", text_letter(index),
                        d == 0 ? depth_name(d) : "after " + depth_name(d), text.points[depth].x,
                        text.points[depth].y));
  }
}

/// Names where the paths begin: they all lead to the right, so to the left, where there is room.
void draw_start(SvgDocument& svg, const Place& at) {
  const bool room = at.x - kMargin > kStartWidth;
  svg.text(room ? at.x - 8 : at.x, room ? at.y + kNoteSize / 3 : at.y - 8,
           room ? TextAnchor::end : TextAnchor::start, "embedding",
           fmt::format(R"(class="start" font-size="{}" fill="#444")", kNoteSize));
}

/// Paths, then their names above all of them.
void draw_paths(SvgDocument& svg, const Comparison& comparison, const Sheet& sheet) {
  std::vector<Place> taken;
  for (const ComparedText& text : comparison.texts) {
    for (const PlanePoint& point : text.points) taken.push_back(sheet.place(point));
  }
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    svg.open_group(fmt::format(R"(class="path text-{}")", text_letter(i)));
    draw_path(svg, comparison, i, sheet);
    svg.close_group();
  }
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    const Place at = free_place(sheet.place(comparison.texts[i].points.back()), taken);
    taken.push_back(at);
    svg.text(at.x, at.y + kLetterSize / 3, TextAnchor::middle, text_letter(i),
             fmt::format(R"(class="letter text-{}" font-size="{}" font-weight="bold")",
                         text_letter(i), kLetterSize));
  }
  draw_start(svg, sheet.place(comparison.texts.front().points.front()));
}

/// Each text under its line, letter first. Returns where the next line may stand.
double draw_legend(SvgDocument& svg, const Comparison& comparison, double y) {
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    y += 1.6 * kTextSize;
    svg.open_group(
        fmt::format(R"(class="legend text-{}" font-size="{}")", text_letter(i), kTextSize));
    svg.path(fmt::format("M{:.2f} {:.2f}h22", kMargin, y - kTextSize / 3), 1.75, color_of(i),
             dash_of(i));
    svg.text(kMargin + 30, y, TextAnchor::start, text_letter(i), R"(font-weight="bold")");
    svg.text(kMargin + 44, y, TextAnchor::start, printable(comparison.texts[i].text, kTextShown));
    svg.close_group();
  }
  return y;
}

double draw_notes(SvgDocument& svg, const Comparison& comparison, double y) {
  svg.open_group(fmt::format(R"(class="notes" font-size="{}" fill="#444")", kNoteSize));
  const std::array notes = {
      "→ " + comparison.x_axis, "↑ " + comparison.y_axis,
      fmt::format("together {}; the same scale in both directions",
                  percent(comparison.x_share + comparison.y_share)),
      fmt::format("{} · limelight {}", comparison.model_name, comparison.hash)};
  y += kNoteSize;
  for (const std::string& note : notes) {
    y += 1.5 * kNoteSize;
    svg.text(kMargin, y, TextAnchor::start, note);
  }
  svg.close_group();
  return y;
}

std::string heading_of(const Comparison& comparison) {
  return fmt::format("“{}” in {} texts, from its embedding through {} layers",
                     printable(comparison.word), comparison.texts.size(),
                     comparison.config.num_layers);
}

SvgDocument::About about(const Comparison& comparison) {
  return {
      .title = fmt::format("{} of {}", heading_of(comparison), comparison.model_name),
      .description = comparison.begins + " " + comparison.ends,
      .metadata = fmt::format(R"(hash="{}" model="{}" figure="paths" word="{}")", comparison.hash,
                              escape_xml(comparison.model_name), escape_xml(comparison.word))};
}

}  // namespace

std::string comparison_to_svg(const Comparison& comparison, FigureNotes notes) {
  SvgDocument svg;
  double top = kMargin / 2;
  if (notes == FigureNotes::with) {
    svg.text(kMargin, kMargin + kHeadingSize, TextAnchor::start, heading_of(comparison),
             fmt::format(R"(font-size="{}" font-weight="bold")", kHeadingSize));
    top = kMargin + 2 * kHeadingSize;
  }
  const Sheet sheet(comparison, top);
  draw_frame(svg, sheet);
  draw_paths(svg, comparison, sheet);
  double bottom = sheet.bottom() + kNoteSize + 6;
  if (notes == FigureNotes::with) {
    bottom = draw_legend(svg, comparison, bottom);
    bottom = draw_notes(svg, comparison, bottom) + kMargin;
  }
  return svg.finish(kWidth, bottom, about(comparison));
}

}  // namespace limelight
