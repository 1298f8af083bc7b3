#pragma once

#include <limelight/result.h>

#include <memory>
#include <utility>

namespace limelight {

/// A file or a folder that stands written in full beside where it belongs. Until it is placed,
/// nothing has changed there; dropped, it leaves nothing behind. So a command with several outputs
/// prepares all of them, where a disk may be full or a path wrong, before it places the first.
class PreparedOutput {
 public:
  PreparedOutput() = default;
  PreparedOutput(const PreparedOutput&) = delete;
  PreparedOutput& operator=(const PreparedOutput&) = delete;
  virtual ~PreparedOutput() = default;

  /// Moves it to where it belongs. At most once.
  virtual Status place() = 0;
};

/// What was prepared, or why it cannot be written.
using Preparation = Result<std::unique_ptr<PreparedOutput>>;

/// Places what was prepared at once.
inline Status place(Preparation prepared) {
  return prepared ? (*prepared)->place() : Status(prepared.failure());
}

}  // namespace limelight
