// The tile unit in portable C++, to the bit as documented: Intel 64 and IA-32 Architectures
// Software Developer's Manual, volume 2, "TDPBF16PS - Dot Product of BF16 Tiles Accumulated into
// Packed Single Precision Tile", section Operation. For each element of the sums two chains of
// fused multiply-adds begin at 0 and run over the even and the odd depths of the tile; the chains
// are added, and what they give is added to the sum. Rounding is to nearest even; denormal inputs
// count as 0 and denormal results become 0 (DAZ and FTZ), whatever MXCSR says.

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/tiles/tile_unit.h"

namespace limelight::tiles {
namespace {

/// A denormal as the zero of its sign. (A result that only rounds up to the smallest normal number
/// is kept, where hardware that looks before rounding might not: half of 2^-150 apart.)
float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}

float fused_multiply_add(float a, float b, float sum) { return flushed(std::fma(a, b, sum)); }

float sum_of(float a, float b) { return flushed(flushed(a) + flushed(b)); }

/// The tiles of one thread. Operands are kept as f32, which each bf16 is the upper half of.
struct Registers {
  using Sums = std::array<std::array<float, kColumns>, kRows>;
  using Left = std::array<std::array<float, kDepth>, kRows>;
  using Right = std::array<std::array<float, kColumns>, kDepth>;
  std::array<std::array<Sums, 2>, 2> sums;
  std::array<Left, 2> left;
  std::array<Right, 2> right;
};

struct EmulatedTiles {
  template <int kRow, int kColumn>
  static void zero_sum() {
    sums<kRow, kColumn>() = {};
  }
  template <int kRow, int kColumn>
  static void load_sum(const float* from, std::int64_t stride) {
    for (auto& row : sums<kRow, kColumn>()) {
      std::memcpy(row.data(), from, sizeof(row));
      from += stride;
    }
  }
  template <int kRow, int kColumn>
  static void store_sum(float* to, std::int64_t stride) {
    for (const auto& row : sums<kRow, kColumn>()) {
      std::memcpy(to, row.data(), sizeof(row));
      to += stride;
    }
  }
  template <int kRow>
  static void load_left(const bfloat16* from, std::int64_t stride) {
    for (auto& row : registers().left[kRow]) {
      for (std::size_t d = 0; d < row.size(); ++d) row[d] = flushed(static_cast<float>(from[d]));
      from += stride;
    }
  }
  template <int kRow>
  static void pass_left(const bfloat16* from, std::int64_t stride) {
    load_left<kRow>(from, stride);
  }
  template <int kColumn>
  static void load_right(const bfloat16* from) {
    auto& tile = registers().right[kColumn];
    for (std::int64_t d = 0; d < kDepth; ++d) {
      for (std::int64_t c = 0; c < kColumns; ++c) {
        tile[static_cast<std::size_t>(d)][static_cast<std::size_t>(c)] =
            flushed(static_cast<float>(from[packed_index(d, c)]));
      }
    }
  }
  template <int kRow, int kColumn>
  static void multiply() {
    const auto& left = registers().left[kRow];
    const auto& right = registers().right[kColumn];
    auto& sums_of_tile = sums<kRow, kColumn>();
    for (std::size_t r = 0; r < left.size(); ++r) {
      for (std::size_t c = 0; c < sums_of_tile[r].size(); ++c) {
        float even = 0;
        float odd = 0;
        for (std::size_t d = 0; d < right.size(); d += 2) {
          even = fused_multiply_add(left[r][d], right[d][c], even);
          odd = fused_multiply_add(left[r][d + 1], right[d + 1][c], odd);
        }
        sums_of_tile[r][c] = sum_of(sums_of_tile[r][c], sum_of(even, odd));
      }
    }
  }

 private:
  static Registers& registers() {
    thread_local Registers registers_of_thread;
    return registers_of_thread;
  }
  template <int kRow, int kColumn>
  static Registers::Sums& sums() {
    return registers().sums[kRow][kColumn];
  }
};

}  // namespace
}  // namespace limelight::tiles

#include "base/tiles/multiply_block.inl.h"

namespace limelight::tiles {

const TileUnit& emulated_unit() {
  static constexpr TileUnit kUnit = {"emulated", [] {}, [] {}, multiply<EmulatedTiles>,
                                     finish<EmulatedTiles>};
  return kUnit;
}

}  // namespace limelight::tiles
