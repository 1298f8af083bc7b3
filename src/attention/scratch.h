#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"

namespace limelight {

/// Memory that a thread's calls of the operator cut into pieces and leave to the next one: touching
/// fresh pages costs more than many a small call.
class Scratch {
 public:
  /// The calling thread's, with at least this many floats. One at a time: the pieces of an earlier
  /// Scratch of the same thread are lost.
  explicit Scratch(std::int64_t floats) {
    thread_local AlignedBuffer<float> buffer;
    const auto needed = static_cast<std::size_t>(floats);
    if (buffer.size() < needed) {
      buffer = AlignedBuffer<float>();  // first, so that the two never stand side by side
      buffer = AlignedBuffer<float>(needed);
    }
    next_ = buffer.data();
  }

  /// A piece that begins on a cache line where all pieces before are whole ones (16 floats). What
  /// it holds is left over from earlier use.
  float* take(std::int64_t floats) {
    float* piece = next_;
    next_ += floats;
    return piece;
  }

 private:
  float* next_;
};

}  // namespace limelight
