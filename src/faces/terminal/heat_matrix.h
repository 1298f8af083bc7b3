#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "faces/terminal/style.h"
#include "story/story.h"

namespace limelight {

/// A square matrix of tokens by tokens with digits in every cell. Weights: ".42" is 0.42, "1.0" is
/// 1, shaded by colour, or without colour by a block before the digits. Scores: signed numbers. A
/// cell that is masked is "·". Rows are the tokens that look, columns those looked at. When the
/// width does not hold all columns, or the text is long, the last rows and columns up to `row` are
/// shown and a line says which were left out.
std::string heat_matrix(MatrixView values, CellKind cells, const std::vector<std::string>& labels,
                        std::int64_t row, const TerminalStyle& style);

}  // namespace limelight
