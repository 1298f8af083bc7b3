#pragma once

#include <string>

#include "faces/terminal/style.h"
#include "story/comparison.h"

namespace limelight {

/// The paths on their plane, drawn in characters, the same scale in both directions: "·" the
/// embeddings, small letters the layers between, capitals the last layer; a "+" is where different
/// texts fall on one character. Every line ends in '\n'.
std::string plane_plot(const Comparison& comparison, const TerminalStyle& style);

}  // namespace limelight
