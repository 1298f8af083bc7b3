#pragma once

#include <string>

namespace limelight::cli {

/// Prints to standard output; where that is a terminal and the text is taller than it, through the
/// person's pager ($PAGER, else less) when `may_page`. Throws Mistake when the output cannot be
/// written.
void print_paged(const std::string& text, bool may_page);

}  // namespace limelight::cli
