#pragma once

#include <string>

#include "story/comparison.h"

namespace limelight {

/// A comparison as one self-contained page that opens from disk and touches no network: the texts
/// shaded by what the word looked at, the cosines after every layer, the nearest words, and the
/// paths on their plane.
std::string comparison_to_html(const Comparison& comparison);

}  // namespace limelight
