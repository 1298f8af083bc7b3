#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"

namespace limelight {

/// Memory that a thread's calls of the operator cut into pieces and leave to the next one: touching
/// fresh pages costs more than many a small call.
class Scratch {
 public:
  /// The calling thread's, with at least this many floats; memory of its own where the thread is
  /// in the middle of another call (AttentionOptions::should_stop may lead here).
  explicit Scratch(std::int64_t floats) {
    AlignedBuffer<float>& buffer = kept_in_use_ ? own_ : kept();
    uses_kept_ = &buffer != &own_;
    const auto needed = static_cast<std::size_t>(floats);
    if (buffer.size() < needed) {
      buffer = AlignedBuffer<float>();  // first, so that the two never stand side by side
      buffer = AlignedBuffer<float>(needed);
    }
    next_ = buffer.data();
    kept_in_use_ = true;
  }
  ~Scratch() {
    if (uses_kept_) kept_in_use_ = false;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// A piece that begins on a cache line where all pieces before are whole ones (16 floats). What
  /// it holds is left over from earlier use.
  float* take(std::int64_t floats) {
    float* piece = next_;
    next_ += floats;
    return piece;
  }

 private:
  static AlignedBuffer<float>& kept() {
    thread_local AlignedBuffer<float> buffer;
    return buffer;
  }

  static inline thread_local bool kept_in_use_ = false;

  AlignedBuffer<float> own_;
  bool uses_kept_;
  float* next_;
};

}  // namespace limelight
