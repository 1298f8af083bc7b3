#pragma once

#include "faces/json_parts.h"
#include "story/comparison.h"

namespace limelight {

/// What comparison_to_json writes, before it is text: a page adds to it.
FaceJson comparison_data(const Comparison& comparison);

}  // namespace limelight
