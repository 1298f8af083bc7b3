#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include "training/trainer.h"

namespace limelight {

/// What a run needs besides its plan to go on exactly where it was, in one file, so that a kill at
/// any moment leaves a whole one: parameters, both moments, the number of steps, and the
/// fingerprint of the tokens (a run must not go on with other text).
struct TrainingStateFile {
  static constexpr const char* kName = "training_state.safetensors";

  std::filesystem::path folder;

  Status write(const Transformer& model, AdamW& optimizer, std::uint64_t fingerprint) const;

  /// Restores model and optimizer; fails, changing neither, when the file is damaged or belongs to
  /// other text or another model.
  Status read(Transformer& model, AdamW& optimizer, std::uint64_t fingerprint) const;

  bool exists() const { return std::filesystem::exists(folder / kName); }
};

}  // namespace limelight
