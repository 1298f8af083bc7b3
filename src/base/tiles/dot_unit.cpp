// Tiles multiplied by vectors: AVX512-BF16 has an instruction (VDPBF16PS) that adds the products of
// 16 pairs of bf16 to 16 sums in f32, twice the multiply-adds of an instruction in f32. Compiled
// whatever the rest of the program is compiled for, and run only where dot_offer() says so.
// (Decoding multiplies a cache's rows by it where they lie:
// attention/kernels/simd/dot_pairs.inl.h.)
//
// A pair is one rounding of each of its products: the odd depth is added, then the even one (Intel
// SDM volume 2, "VDPBF16PS", section Operation). Denormals count as 0, as on a tile unit.

#include "base/tiles/tile_unit.h"

#if defined(__x86_64__)

#include <hwy/base.h>  // HWY_PUSH_ATTRIBUTES
#include <immintrin.h>

#include <cstring>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bf16")

namespace limelight::tiles {
namespace {

/// Sums that stay in registers while all depths pass by: 16 vectors of them, whose products wait
/// for none of the others, beside which there are two of right and one of left. With two columns
/// that is 10 loads for 16 products, with one 17.
constexpr int kSumVectors = 16;

__m512bh right_pairs(const bfloat16* from) { return (__m512bh)_mm512_loadu_si512(from); }

/// A pair of left, for all columns.
__m512bh left_pair(const bfloat16* from) {
  int pair;
  std::memcpy(&pair, from, sizeof(pair));
  return (__m512bh)_mm512_set1_epi32(pair);
}

/// sums + left [kBlockRows, kDepth] right [kDepth, kColumnTiles * kColumns]
template <int kBlockRows, int kColumnTiles>
void add_tile(const bfloat16* left, std::int64_t left_stride, const bfloat16* right,
              std::int64_t right_stride, __m512 (&sums)[kBlockRows][kColumnTiles]) {
  for (std::int64_t pair = 0; pair < kDepth; pair += 2) {
    __m512bh columns[kColumnTiles];
    for (int c = 0; c < kColumnTiles; ++c) {
      columns[c] = right_pairs(right + c * right_stride + packed_index(pair, 0));
    }
#pragma GCC unroll 16
    for (int r = 0; r < kBlockRows; ++r) {
      const __m512bh row = left_pair(left + r * left_stride + pair);
#pragma GCC unroll 2
      for (int c = 0; c < kColumnTiles; ++c) {
        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], columns[c], row);
      }
    }
  }
}

/// Rows [first_row, first_row + kBlockRows) of a row of tiles.
template <int kBlockRows, int kColumnTiles>
void multiply_rows(const BlockProduct& product, int row_tile, std::int64_t first_row) {
  const SumTiles to = product.sum_tiles();
  __m512 sums[kBlockRows][kColumnTiles];
  const auto place = [&](int r, int c) {
    return to.tile(row_tile, c) + (first_row + r) * to.stride;
  };
#pragma GCC unroll 16
  for (int r = 0; r < kBlockRows; ++r) {
    for (int c = 0; c < kColumnTiles; ++c) {
      sums[r][c] = product.accumulate ? _mm512_loadu_ps(place(r, c)) : _mm512_setzero_ps();
    }
  }
  for (std::int64_t depth = 0; depth < product.depth_tiles; ++depth) {
    add_tile(product.left_tile(row_tile, depth) + first_row * product.left_stride,
             product.left_stride, product.right_tile(depth, 0), product.right_tile_stride, sums);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kBlockRows; ++r) {
    for (int c = 0; c < kColumnTiles; ++c) _mm512_storeu_ps(place(r, c), sums[r][c]);
  }
}

/// What is done beside the products comes between two rows of tiles: among them it would send their
/// sums to memory and back.
template <int kColumnTiles>
void multiply_columns(const BlockProduct& product, const Beside& beside) {
  constexpr int kBlockRows = kSumVectors / kColumnTiles;
  for (int row_tile = 0; row_tile < product.row_tiles; ++row_tile) {
    for (std::int64_t row = 0; row < kRows; row += kBlockRows) {
      multiply_rows<kBlockRows, kColumnTiles>(product, row_tile, row);
    }
    for (std::int64_t depth = 0; depth < product.depth_tiles; ++depth) beside();
  }
}

/// Sums are in memory at once: none is left in registers.
void multiply(const BlockProduct& product, const SumTiles&, const Beside& beside) {
  if (product.column_tiles == 2) {
    multiply_columns<2>(product, beside);
  } else {
    multiply_columns<1>(product, beside);
  }
}

}  // namespace
}  // namespace limelight::tiles

HWY_POP_ATTRIBUTES

namespace limelight::tiles {

const TileUnit* dot_unit() {
  static constexpr TileUnit kUnit = {"avx512_bf16", [] {}, [] {}, multiply, [](const SumTiles&) {}};
  return &kUnit;
}

}  // namespace limelight::tiles

#else

namespace limelight::tiles {

const TileUnit* dot_unit() { return nullptr; }

}  // namespace limelight::tiles

#endif
