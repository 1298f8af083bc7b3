#pragma once

#include <string>

#include "faces/terminal/style.h"
#include "story/explanation.h"

namespace limelight {

/// The explanation for a person at a terminal: sections in the order of the computation, each with
/// the largest difference to float64 beside it.
std::string explanation_to_text(const Explanation& explanation, const TerminalStyle& style);

}  // namespace limelight
