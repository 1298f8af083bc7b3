#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/tiles/tile_unit.h"

namespace limelight {

/// The instruction sets that kernels are compiled for and this processor has, best first: of amx,
/// avx512_bf16, avx512, avx2, sse4, neon, portable. The first two are the best vector instruction
/// set, and a tile unit where a kernel has a use for it.
std::vector<std::string> available_instruction_sets();

/// The one that kernels run on: the best, or the one that the environment variable LIMELIGHT_ISA
/// names (read once, at the first call). Every kernel's public function calls this before it
/// chooses. Throws Error where LIMELIGHT_ISA names one that is not available.
const std::string& instruction_set();

/// What vector kernels run on: instruction_set(), or the vectors that stand beside a tile unit.
const std::string& vector_instruction_set();

/// What tile kernels multiply with. Null where instruction_set() has no tile unit: then they are
/// not used.
const tiles::TileUnit* tile_unit();
/// Why it is there, or is not.
std::string reason_for_tile_unit();

/// Whether vector kernels may multiply bf16 in pairs beside it, by AVX512-BF16.
bool uses_bf16_dots();

/// For tests, which prove the tile kernels where there is no tile unit: another one is used while
/// this lives. Not while a kernel runs.
class TileUnitForTest {
 public:
  explicit TileUnitForTest(const tiles::TileUnit* unit);
  ~TileUnitForTest();
  TileUnitForTest(const TileUnitForTest&) = delete;
  TileUnitForTest& operator=(const TileUnitForTest&) = delete;

 private:
  const tiles::TileUnit* before_;
};

/// The project's name for one of Highway's targets, which its kernels are compiled for.
std::string name_of_target(std::int64_t target);

}  // namespace limelight
