#pragma once

#include <omp.h>

#include <cstdint>

namespace limelight {

/// Calls body(i) once for every i in [0, count) on the process's one pool of threads (OpenMP), in any
/// order. The body must not throw, and what it computes for i must not depend on which thread runs
/// it: cut the work into pieces by its shape, never by the number of threads, and the result has the
/// same bits on any machine size.
template <class Body>
void parallel_for(std::int64_t count, const Body& body) {
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

/// How many pieces of at most `piece` cover `extent`.
constexpr std::int64_t ceil_div(std::int64_t extent, std::int64_t piece) {
  return (extent + piece - 1) / piece;
}

}  // namespace limelight
