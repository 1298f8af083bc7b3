#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

/// The `count` names nearest to `wanted` by edit distance (insert, delete, replace a byte), nearest
/// first: what somebody may have meant. Names far longer than a person types are left out, and
/// beyond a few thousand candidates the rest, so that the answer to a mistake stays quick.
std::vector<std::string> closest_names(std::string_view wanted,
                                       const std::vector<std::string>& candidates,
                                       std::size_t count = 3);

}  // namespace limelight
