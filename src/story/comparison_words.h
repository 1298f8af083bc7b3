#pragma once

#include <string>

#include "story/comparison.h"

namespace limelight {

// What a comparison says of its own numbers. REQUIRES: texts and cosines are there.

/// Whether the word is one row of the table everywhere, and how alike the embeddings are.
std::string how_it_begins(const Comparison& comparison);
/// Which text each lies nearest to after the last layer, and which are farthest apart.
std::string how_it_ends(const Comparison& comparison);

}  // namespace limelight
