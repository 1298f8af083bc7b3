#pragma once

#include <string>

#include "faces/terminal/style.h"
#include "story/comparison.h"

namespace limelight {

/// A comparison in lines of at most style.width columns: the texts, where the word begins, what it
/// looked at, the cosines after each layer, the nearest words, and the paths on the plane drawn in
/// letters. What of many texts or a long one has no room is left to --format json, and said.
std::string comparison_to_text(const Comparison& comparison, const TerminalStyle& style);

}  // namespace limelight
