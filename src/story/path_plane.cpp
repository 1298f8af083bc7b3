#include "story/path_plane.h"

#include <algorithm>
#include <cmath>

#include "story/principal_axes.h"

namespace limelight {
namespace {

using Vector = std::vector<double>;

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

}  // namespace

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
  const Vector across = principal_axes(rests, 1).axes.front();

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
