#include "benchmarks/roofline_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "faces/svg/svg_document.h"

namespace limelight::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 430;
constexpr double kLeft = 60, kRight = 540, kTop = 44, kBottom = 380;
constexpr double kListLeft = 560;
constexpr double kLineHeight = 19;
constexpr std::string_view kInk = "#222222", kFaint = "#dddddd", kRoofColor = "#D55E00",
                           kPointColor = "#0072B2";
constexpr std::string_view kSmall = "font-size=\"10\"";

/// A logarithmic axis with some room at both ends.
class Axis {
 public:
  Axis(double least, double most, double from, double to)
      : low_(std::log10(least) - kRoom), high_(std::log10(most) + kRoom), from_(from), to_(to) {}

  double place(double value) const {
    return from_ + (std::log10(value) - low_) / (high_ - low_) * (to_ - from_);
  }
  double least() const { return std::pow(10.0, low_); }
  double most() const { return std::pow(10.0, high_); }
  /// 1, 2 and 5 times the powers of ten that the axis holds.
  std::vector<double> marks() const {
    std::vector<double> marks;
    for (double power = std::pow(10.0, std::floor(low_)); power <= most(); power *= 10) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        if (digit * power >= least() && digit * power <= most()) marks.push_back(digit * power);
      }
    }
    return marks;
  }

 private:
  static constexpr double kRoom = 0.2;

  double low_, high_;  ///< powers of ten
  double from_, to_;   ///< where they stand on the sheet
};

/// The figure in the making.
class Figure {
 public:
  Figure(const RooflineCeilings& ceilings, const std::vector<RooflinePoint>& points)
      : ceilings_(ceilings), points_(points), across_(across(points)), up_(up(ceilings, points)) {}

  std::string draw(const std::string& machine) {
    document_.open_group(fmt::format("font-size=\"12\" fill=\"{}\"", kInk));
    document_.text(kLeft, 22, TextAnchor::start, "Attention under the roof: " + machine,
                   "font-size=\"14\"");
    draw_axes();
    draw_roof();
    draw_points();
    document_.close_group();
    return document_.finish(
        kWidth, kHeight,
        {"Roofline of attention on " + machine, description(), "source=\"script/bench roofline\""});
  }

 private:
  static Axis across(const std::vector<RooflinePoint>& points) {
    const auto [least, most] = std::ranges::minmax(points, {}, &RooflinePoint::intensity);
    return {least.intensity, most.intensity, kLeft, kRight};
  }
  static Axis up(const RooflineCeilings& ceilings, const std::vector<RooflinePoint>& points) {
    const auto [least, most] = std::ranges::minmax(points, {}, &RooflinePoint::rate);
    return {least.rate, std::max(most.rate, ceilings.fastest_products()), kBottom, kTop};
  }

  void draw_axes() {
    for (const double mark : across_.marks()) {
      const double x = across_.place(mark);
      line(x, kTop, x, kBottom, kFaint, 1);
      document_.text(x, kBottom + 17, TextAnchor::middle, fmt::format("{:g}", mark));
    }
    for (const double mark : up_.marks()) {
      const double y = up_.place(mark);
      line(kLeft, y, kRight, y, kFaint, 1);
      document_.text(kLeft - 6, y + 4, TextAnchor::end, fmt::format("{:g}", mark / 1e9));
    }
    document_.text((kLeft + kRight) / 2, kBottom + 38, TextAnchor::middle,
                   "FLOP for each byte of memory");
    document_.text(kLeft, kTop - 7, TextAnchor::end, "GFLOP/s");
  }

  /// The bandwidth up to where products are slower, then the products; the slower ones dashed.
  void draw_roof() {
    const double fastest = ceilings_.fastest_products();
    const double start = std::max(across_.least(), up_.least() / ceilings_.bytes);
    const double ridge = fastest / ceilings_.bytes;
    roof_line(start, start * ceilings_.bytes, ridge, fastest);
    roof_line(ridge, fastest, across_.most(), fastest);
    document_.text(across_.place(ridge) - 12, up_.place(fastest) + 4, TextAnchor::end,
                   fmt::format("memory, {:.0f} GB/s", ceilings_.bytes / 1e9),
                   fmt::format("fill=\"{}\"", kRoofColor));
    label_roof(ceilings_.tiles > 0 ? "tiles, bf16" : "multiply-add, f32", fastest);
    if (ceilings_.tiles == 0) return;
    const double slower = ceilings_.multiply_adds;
    line(across_.place(slower / ceilings_.bytes), up_.place(slower), kRight, up_.place(slower),
         kRoofColor, 1.5, "stroke-dasharray=\"6 3\"");
    label_roof("multiply-add, f32", slower);
  }
  void roof_line(double from_x, double from_y, double to_x, double to_y) {
    line(across_.place(from_x), up_.place(from_y), across_.place(to_x), up_.place(to_y), kRoofColor,
         2);
  }
  void label_roof(const std::string& what, double rate) {
    document_.text(kRight - 4, up_.place(rate) - 6, TextAnchor::end,
                   fmt::format("{}, {:.0f} GFLOP/s", what, rate / 1e9),
                   fmt::format("fill=\"{}\"", kRoofColor));
  }

  void draw_points() {
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const RooflinePoint& point = points_[i];
      const std::string number = fmt::format("{}", i + 1);
      const bool right = has_room_at_right(point);
      const double x = across_.place(point.intensity);
      const double y = up_.place(point.rate);
      document_.dot(x, y, 4, kPointColor, figures_of(point));
      document_.text(right ? x + 7 : x - 7, y + 4, right ? TextAnchor::start : TextAnchor::end,
                     number, kSmall);
      list(i, number, point);
    }
    document_.text(kWidth - 12, kTop + 12 + kLineHeight * static_cast<double>(points_.size()),
                   TextAnchor::end, "of the roof", kSmall);
  }
  /// Whether a point's neighbour at its height is farther away on the right than on the left.
  bool has_room_at_right(const RooflinePoint& point) const {
    constexpr double kNumberHeight = 12;
    const double x = across_.place(point.intensity);
    double left = kRight;
    double right = kRight;
    for (const RooflinePoint& other : points_) {
      if (std::fabs(up_.place(other.rate) - up_.place(point.rate)) > kNumberHeight) continue;
      const double away = across_.place(other.intensity) - x;
      if (away > 0) right = std::min(right, away);
      if (away < 0) left = std::min(left, -away);
    }
    return right >= left;
  }
  void list(std::size_t i, const std::string& number, const RooflinePoint& point) {
    const double row = kTop + 8 + kLineHeight * static_cast<double>(i);
    document_.text(kListLeft + 16, row, TextAnchor::end, number, kSmall);
    document_.text(kListLeft + 22, row, TextAnchor::start, point.name);
    document_.text(kWidth - 12, row, TextAnchor::end,
                   fmt::format("{:.0f} %", 100 * point.share_of(ceilings_)));
  }
  std::string figures_of(const RooflinePoint& point) const {
    return fmt::format("{}: {:.1f} GFLOP/s, {:.1f} FLOP/byte, {:.0f} % of the roof", point.name,
                       point.rate / 1e9, point.intensity, 100 * point.share_of(ceilings_));
  }
  std::string description() const {
    std::string all;
    for (const RooflinePoint& point : points_) all += figures_of(point) + ". ";
    return all;
  }

  void line(double x1, double y1, double x2, double y2, std::string_view color, double width,
            std::string_view attributes = "") {
    document_.path(fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", x1, y1, x2, y2), width, color,
                   attributes);
  }

  const RooflineCeilings& ceilings_;
  const std::vector<RooflinePoint>& points_;
  Axis across_, up_;
  SvgDocument document_;
};

}  // namespace

std::string roofline_svg(const std::string& machine, const RooflineCeilings& ceilings,
                         const std::vector<RooflinePoint>& points) {
  return Figure(ceilings, points).draw(machine);
}

}  // namespace limelight::bench
