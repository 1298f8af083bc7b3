#pragma once

#include <cstdint>

namespace limelight {

/// Runs `steps` rounds of independent f32 fused multiply-adds from registers to registers, on the
/// calling thread, and returns the operations done (two for each lane of each). What a processor
/// can do at best, against which the engine's own rate is read.
double multiply_add_burst(std::int64_t steps);

/// Operations a second of `threads` threads, from the fastest of a few bursts of a millisecond.
double measure_multiply_add_rate(int threads);

/// The instruction set that the bursts run on: "AVX3_DL", "AVX2", "NEON", ...
const char* multiply_add_instruction_set();

}  // namespace limelight
