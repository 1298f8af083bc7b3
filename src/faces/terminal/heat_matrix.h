#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "faces/terminal/style.h"
#include "trace/matrix.h"

namespace limelight {

/// A causal matrix of weights with a digit pair in every cell: ".42" is 0.42, "1.0" is 1, "·" is
/// masked. Shaded by colour, or without colour by a block before the digits. Rows are the tokens
/// that look, columns those looked at. When the width does not hold all columns, or the text is
/// long, the last rows and columns up to `row` are shown and a line says which were left out.
std::string heat_matrix(const Matrix& weights, const std::vector<std::string>& labels,
                        std::int64_t row, const TerminalStyle& style);

}  // namespace limelight
