#pragma once

#include <string>

#include "story/explanation.h"

namespace limelight {

/// The explanation as JSON. Every number reads back as the same float. Matrices are arrays of rows,
/// one row a token. Token texts that are not UTF-8 on their own (pieces of a character) are written
/// with U+FFFD in "text" and exactly, byte by byte, in "bytes".
std::string explanation_to_json(const Explanation& explanation);

}  // namespace limelight
