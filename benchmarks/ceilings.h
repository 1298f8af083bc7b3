#pragma once

#include <cstdint>
#include <string>

namespace limelight::bench {

// What this machine can do at best, measured, so that every benchmark is read as a ratio. A kernel
// faster than its ceiling means that the ceiling, or the kernel, is wrong.

/// Work a second: the median of several repetitions, and the best of them.
struct Rate {
  double median = 0;
  double best = 0;
};

/// f32 fused multiply-adds from registers to registers, in FLOP/s (two for each lane).
Rate multiply_add_rate(int threads);

/// exp of f32 values in the level-1 cache, in values a second: Highway's, which is correct to one
/// unit in the last place. A shorter polynomial can be faster.
Rate exponential_rate(int threads);

/// Products of two by two tiles of bf16 by the processor's tile unit, operands in the level-1
/// cache, in FLOP/s. REQUIRES: tile_unit().
Rate tile_rate(int threads);

/// The same interleaved with what a forward at head_dim 64 does between them, 64 exponentials for
/// each product of tiles (the short ones, rounded to bf16): how much of either is hidden.
struct InterleavedRate {
  Rate products;      ///< in FLOP/s
  Rate exponentials;  ///< in values a second
};
InterleavedRate interleaved_rate(int threads);

/// Reading memory far larger than the caches, in bytes a second.
Rate read_bandwidth(int threads);

/// c [m, n] = a [m, k] * b [k, n] in f32 by oneDNN, in FLOP/s.
Rate sgemm_rate(std::int64_t m, std::int64_t n, std::int64_t k, int threads);

/// The instruction set that the above were measured with: "AVX3_DL", "AVX2", "NEON", ...
std::string instruction_set();

/// The threads of the process's pool (OMP_NUM_THREADS, else every processor).
int all_threads();

}  // namespace limelight::bench
