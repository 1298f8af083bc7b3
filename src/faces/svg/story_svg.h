#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "story/story.h"

namespace limelight {

/// A drawing of a story's weights.
enum class SvgFigure : std::uint8_t {
  matrix,  ///< the told head's weights, a row a word
  heads,   ///< the same of every head of the told layer
  arcs,    ///< from the words that look to those they look at, in the told head
};

/// "matrix", "heads", "arcs"; nothing for another name.
std::optional<SvgFigure> svg_figure_named(std::string_view name);

/// The figure as one SVG file, fit for a paper: text as text, vectors only, nothing loaded, grey
/// levels that order like the weights. Each weight is there with two digits, and with all of them
/// in its title; a weight of exactly 0 is left blank. Title and description say in words what is
/// drawn; the metadata name the story's hash. Rows and heads that the story did not keep are not
/// drawn.
std::string story_to_svg(const Story& story, SvgFigure figure);

}  // namespace limelight
