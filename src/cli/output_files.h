#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/prepared_output.h"

namespace limelight::cli {

/// What one command writes: every output is prepared before the first is placed, so that a path
/// that cannot be written leaves all of them as they were.
class OutputFiles {
 public:
  /// Takes what was prepared for `path`. Throws Mistake for what cannot be written, and for a path
  /// that an earlier output has.
  void add(const std::filesystem::path& path, Preparation prepared);

  /// Throws Mistake where one cannot be put in place.
  void place_all();

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<std::unique_ptr<PreparedOutput>> prepared_;
};

}  // namespace limelight::cli
