#pragma once

#include <string>
#include <vector>

#include "faces/svg/svg_document.h"
#include "story/story.h"

namespace limelight {

struct FigureSize {
  double width = 0;
  double height = 0;
};

/// Draws the weights of one head as a matrix with its labels, its top left corner at (x, y). Cells
/// have the size that two digits need at `font_size`.
FigureSize draw_matrix(SvgDocument& svg, const Story& story, const TraceTensor& weights, double x,
                       double y, double font_size);

/// Draws the words on a line, and an arc from each word that looks to each it looks at.
FigureSize draw_arcs(SvgDocument& svg, const Story& story, const TraceTensor& weights, double x,
                     double y);

/// A token as a figure shows it, and the room that the longest takes at `font_size`.
std::string figure_label(const Story& story, std::int64_t token);
double widest_label(const Story& story, double font_size);

}  // namespace limelight
