#pragma once

#include <omp.h>

#include <atomic>
#include <cstdint>

namespace limelight {

/// Calls body(i) once for every i in [0, count) on the process's one pool of threads (OpenMP), in
/// any order. The body must not throw, and what it computes for i must not depend on which thread
/// runs it: cut the work into pieces by its shape, never by the number of threads, and the result
/// has the same bits on any machine size. One piece alone is computed by the calling thread: where
/// the machine is busy, a team takes milliseconds to come together.
template <class Body>
void parallel_for(std::int64_t count, const Body& body) {
#pragma omp parallel for schedule(dynamic, 1) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

/// Calls body(i, thread) once for every i in [0, count), begun in the order of i, so that a piece
/// may wait for what an earlier piece does. `thread` is in [0, most_threads()): for memory of its
/// own. The rest is as for parallel_for; `alone` keeps it on the calling thread.
///
/// Once stopped() is true no further piece begins; those that began are all finished. It is called
/// on every thread.
template <class Stopped, class Body>
void parallel_for_in_order(std::int64_t count, bool alone, const Stopped& stopped,
                           const Body& body) {
  std::atomic<std::int64_t> next = 0;
#pragma omp parallel if (!alone)
  {
    const int thread = omp_get_thread_num();
    while (!stopped()) {
      const std::int64_t i = next++;
      if (i >= count) break;
      body(i, thread);  // also when stopped meanwhile: a later piece may wait for this one
    }
  }
}

template <class Body>
void parallel_for_in_order(std::int64_t count, bool alone, const Body& body) {
  parallel_for_in_order(
      count, alone, [] { return false; }, body);
}

/// The most threads that a parallel loop begun here may use.
inline int most_threads() { return omp_get_max_threads(); }

/// What the calling thread begins while this lives has this many threads for its pool.
class PoolSize {
 public:
  explicit PoolSize(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~PoolSize() { omp_set_num_threads(before_); }
  PoolSize(const PoolSize&) = delete;
  PoolSize& operator=(const PoolSize&) = delete;

 private:
  int before_;
};

/// How many pieces of at most `piece` cover `extent`.
constexpr std::int64_t ceil_div(std::int64_t extent, std::int64_t piece) {
  return (extent + piece - 1) / piece;
}

}  // namespace limelight
