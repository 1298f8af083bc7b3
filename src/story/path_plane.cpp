#include "story/path_plane.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limelight {
namespace {

using Vector = std::vector<double>;

constexpr int kPowerIterations = 200;

double length(const Vector& v) { return std::sqrt(dot(v, v)); }

/// v / |v|; zero stays zero.
Vector unit(Vector v) {
  const double size = length(v);
  if (size > 0) {
    for (double& x : v) x /= size;
  }
  return v;
}

void add_scaled(Vector& to, const Vector& v, double factor) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * v[i];
}

/// The direction in which the vectors are largest together: the first eigenvector of the sum of
/// their outer products.
Vector principal_axis(const std::vector<Vector>& vectors) {
  const auto largest =
      std::ranges::max_element(vectors, {}, [](const Vector& v) { return dot(v, v); });
  Vector axis = unit(*largest);
  for (int i = 0; i < kPowerIterations; ++i) {
    Vector next(axis.size());
    for (const Vector& v : vectors) add_scaled(next, v, dot(v, axis));
    if (length(next) == 0) break;
    axis = unit(std::move(next));
  }
  if (dot(axis, *largest) < 0) {
    for (double& x : axis) x = -x;
  }
  return axis;
}

}  // namespace

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

PathPicture lay_head_to_tail(std::string id, std::string caption, const std::string& start_label,
                             const std::vector<double>& start, const std::vector<PathStep>& steps) {
  Vector sum(start.size());
  for (const PathStep& step : steps) add_scaled(sum, step.vector, 1);
  const Vector along = unit(sum);
  std::vector<Vector> rests;
  for (const PathStep& step : steps) {
    Vector rest = step.vector;
    add_scaled(rest, along, -dot(rest, along));
    rests.push_back(std::move(rest));
  }
  const Vector across = principal_axis(rests);

  PathPicture picture = {std::move(id),
                         std::move(caption),
                         "along the sum of all steps",
                         "across it, where the steps differ most",
                         0,
                         {}};
  double in_plane = 0;
  double in_all = 0;
  double x = dot(start, along);
  double y = dot(start, across);
  picture.points.push_back({start_label, x, y});
  for (const PathStep& step : steps) {
    const double dx = dot(step.vector, along);
    const double dy = dot(step.vector, across);
    picture.points.push_back({step.label, x += dx, y += dy});
    in_plane += dx * dx + dy * dy;
    in_all += dot(step.vector, step.vector);
  }
  picture.share = in_all > 0 ? std::min(1.0, in_plane / in_all) : 1;
  return picture;
}

}  // namespace limelight
