#pragma once

#include <cstdint>

#include "base/parallel.h"

namespace limelight {

/// Below this many multiply-adds (a few tens of microseconds) waking other threads costs more than
/// they save.
inline constexpr double kLeastWorkToShare = 1e5;

/// parallel_for, or a plain loop where the whole work (in multiply-adds) is too small to share.
template <class Body>
void for_each_task(std::int64_t count, double work, const Body& body) {
  if (count > 1 && work >= kLeastWorkToShare) {
    parallel_for(count, body);
  } else {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  }
}

}  // namespace limelight
