#pragma once

#include "faces/terminal/style.h"

namespace limelight::cli {

/// What standard output can show: the width of the terminal, of COLUMNS, or 80; colours on a
/// terminal that has them, unless NO_COLOR is set.
TerminalStyle style_of_stdout();

}  // namespace limelight::cli
