#pragma once

#include <string>
#include <utility>
#include <vector>

#include "story/story.h"

namespace limelight {

/// A vector of a path and what it is called.
struct PathStep {
  std::string label;
  std::vector<double> vector;
};

/// Lays vectors head to tail from `start` and projects the path to a plane: x along the sum of all
/// steps, y along the direction, at a right angle to x, in which the steps differ most (the first
/// principal axis of what x leaves; its sign makes the longest of them positive). `share` is how
/// much of the steps' squared length lies in the plane. The same bits for the same input. REQUIRES:
/// steps is not empty; all vectors have start's length.
PathPicture lay_head_to_tail(std::string id, std::string caption, const std::string& start_label,
                             const std::vector<double>& start, const std::vector<PathStep>& steps);

}  // namespace limelight
