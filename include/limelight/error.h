#pragma once

#include <stdexcept>
#include <string>

namespace limelight {

/// Misuse of the API: an argument that cannot be. The message names the argument, what was expected
/// and what came. Untrusted bytes (files, text, HTTP) are never reported this way: see Result.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace limelight
