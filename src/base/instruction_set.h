#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace limelight {

/// The vector instruction sets that kernels are compiled for and this processor has, best first:
/// of avx512, avx2, sse4, neon, portable.
std::vector<std::string> available_instruction_sets();

/// The one that kernels run on: the best, or the one that the environment variable LIMELIGHT_ISA
/// names (read once, at the first call). Every kernel's public function calls this before it
/// chooses. Throws Error where LIMELIGHT_ISA names one that is not available.
const std::string& instruction_set();

/// The project's name for one of Highway's targets, which its kernels are compiled for.
std::string name_of_target(std::int64_t target);

}  // namespace limelight
