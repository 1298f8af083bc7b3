#pragma once

#include <cstdint>
#include <string>

#include "story/comparison.h"

namespace limelight {

/// Whether the figure stands alone, with its texts and what its axes are below it, or in a page
/// that says both itself.
enum class FigureNotes : std::uint8_t { with, without };

/// The paths of the word in every text on their plane, the same scale in both directions, as an SVG
/// 1.1 file: a line for each text from the embedding through every layer, its letter at the end,
/// and the texts below. Colours are told apart by every kind of colour vision, and a letter names
/// each line besides. Each text's shapes are a group of class "text-A", "text-B", ...
std::string comparison_to_svg(const Comparison& comparison, FigureNotes notes = FigureNotes::with);

}  // namespace limelight
