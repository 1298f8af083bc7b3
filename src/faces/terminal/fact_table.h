#pragma once

#include <string>

#include "faces/terminal/style.h"
#include "story/story.h"

namespace limelight {

/// The rows of a table, without its caption, under the names of its columns; columns that the width
/// does not hold follow below, each time with the labels before them. Every line ends in '\n'.
std::string fact_table(const FactTable& table, const TerminalStyle& style);

/// A number in at most nine columns: four digits after the point where they fit.
std::string cell_text(double value);

}  // namespace limelight
