// Keys and values of a head, from memory of any stride to the layout that the tile unit multiplies
// with. Once for each key head; the query heads that share it read the same copy.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "attention/kernels/amx/strip_sizes.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/kernels/simd/transpose.inl.h"

#if defined(LIMELIGHT_AMX_PACK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_PACK_INL_H
#undef LIMELIGHT_AMX_PACK_INL_H
#else
#define LIMELIGHT_AMX_PACK_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

using namespace simd;                 // NOLINT(google-build-using-namespace)
using namespace simd::HWY_NAMESPACE;  // NOLINT(google-build-using-namespace)

/// `count` bf16, followed by zeros up to `width`.
inline void copy_row(const ConstTensorView& view, std::int64_t offset, std::int64_t count,
                     std::int64_t width, bfloat16* row) {
  std::copy_n(view.data<bfloat16>() + offset, count, row);
  std::fill(row + count, row + width, bfloat16());
}

inline constexpr std::int64_t kNoRow = -1;

/// Row i of a head's queries (or what has their shape), zeros where there is none.
inline void copy_query(const ConstTensorView& view, const HeadPlace& place, std::int64_t i,
                       std::int64_t width, bfloat16* row) {
  const Sequence& sequence = place.sequence;
  if (i == kNoRow) {
    std::fill_n(row, width, bfloat16());
    return;
  }
  copy_row(view, row_offset(view, sequence.batch, place.head, sequence.first_query + i),
           view.size(3), width, row);
}

/// Row j of a head's keys (or values), zeros where there is none.
inline void copy_key(const KeySource& source, const Sequence& sequence, std::int64_t kv_head,
                     std::int64_t j, std::int64_t width, bfloat16* row) {
  if (j >= sequence.kv_len) {
    std::fill_n(row, width, bfloat16());
    return;
  }
  const auto [view, offset] = source.find(sequence, kv_head, j);
  copy_row(view, offset, view.size(3), width, row);
}

inline const std::uint32_t* pairs_of(const bfloat16* row) {
  return reinterpret_cast<const std::uint32_t*>(row);
}
inline std::uint32_t* pairs_of(bfloat16* row) { return reinterpret_cast<std::uint32_t*>(row); }

/// [width, tiles::kColumns] becomes [tiles::kColumns, width].
inline void transpose_lanes(const float* lanes, std::int64_t width, float* rows) {
  for (std::int64_t i = 0; i < width; i += 4) {
    for (std::int64_t lane = 0; lane < tiles::kColumns; lane += 4) {
      transpose_numbers(lanes + i * tiles::kColumns + lane, tiles::kColumns,
                        rows + lane * width + i, width);
    }
  }
}

/// Rows [tiles::kColumns, width] become the columns of a column of packed tiles.
inline void pack_as_columns(const bfloat16* rows, std::int64_t width, bfloat16* packed) {
  constexpr std::int64_t kPairs = tiles::kDepth / 2;  // of a tile's column
  for (std::int64_t pair = 0; pair < width / 2; pair += 4) {
    std::uint32_t* to = pairs_of(packed) + pair * tiles::kColumns;
    static_assert(kPairs * tiles::kColumns * 2 == tiles::kTileElements);
    for (std::int64_t column = 0; column < tiles::kColumns; column += 4) {
      transpose_pairs(pairs_of(rows + column * width) + pair, width / 2, to + column,
                      tiles::kColumns);
    }
  }
}

/// Rows [first, first + rows) of a head, of queries or what has their shape, as the columns of
/// packed tiles [query_tiles, width / tiles::kDepth], 0 beyond. `rows_memory` is for one tile's.
inline void pack_queries(const ConstTensorView& view, const HeadPlace& place, std::int64_t first,
                         std::int64_t rows, std::int64_t query_tiles, std::int64_t width,
                         bfloat16* rows_memory, bfloat16* packed) {
  for (std::int64_t tile = 0; tile < query_tiles; ++tile) {
    for (std::int64_t i = 0; i < tiles::kColumns; ++i) {
      const std::int64_t r = tile * tiles::kColumns + i;
      copy_query(view, place, r < rows ? first + r : kNoRow, width, rows_memory + i * width);
    }
    pack_as_columns(rows_memory, width, packed + tile * tiles::kColumns * width);
  }
}

/// packed [kStripRowTiles, width / tiles::kDepth] tiles: a row of a tile is a key. `row` is memory
/// for one of `width`.
inline void pack_keys(const KeySource& keys, const Sequence& sequence, std::int64_t kv_head,
                      std::int64_t first, std::int64_t width, bfloat16* row, bfloat16* packed) {
  for (std::int64_t i = 0; i < kStripKeys; ++i) {
    copy_key(keys, sequence, kv_head, first + i, width, row);
    bfloat16* to =
        packed + i / tiles::kRows * tiles::kRows * width + i % tiles::kRows * tiles::kDepth;
    for (std::int64_t d = 0; d < width; d += tiles::kDepth) {
      std::copy_n(row + d, tiles::kDepth, to + d / tiles::kDepth * tiles::kTileElements);
    }
  }
}

/// One row of pairs in each column tile of `width` columns: of two rows of values, with 0 for what
/// is NaN or infinite. Returns whether nothing was.
inline bool weave_rows(const bfloat16* even, const bfloat16* odd, std::int64_t width,
                       std::int64_t to_stride, bfloat16* to) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> half;
  const auto exponent = hn::Set(d, 0x7f80u);
  auto special = hn::Zero(d);
  const auto load = [&](const bfloat16* from) HWY_ATTR {
    const auto bits =
        hn::PromoteTo(d, hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from)));
    const auto is_special = hn::Eq(hn::And(bits, exponent), exponent);
    special = hn::Or(special, hn::IfThenElseZero(is_special, exponent));
    return hn::IfThenZeroElse(is_special, bits);
  };
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < width; c += lanes) {
    const auto pairs = hn::Or(load(even + c), hn::ShiftLeft<16>(load(odd + c)));
    bfloat16* tile = to + c / tiles::kColumns * to_stride;
    hn::StoreU(pairs, d, pairs_of(tile) + c % tiles::kColumns);
  }
  return hn::AllTrue(d, hn::Eq(special, hn::Zero(d)));
}

/// A tile of pairs, [16, 16], transposed.
inline void transpose_tile(const bfloat16* from, bfloat16* to) {
  for (std::int64_t i = 0; i < tiles::kRows; i += 4) {
    for (std::int64_t j = 0; j < tiles::kColumns; j += 4) {
      transpose_pairs(pairs_of(from) + i * tiles::kColumns + j, tiles::kColumns,
                      pairs_of(to) + j * tiles::kColumns + i, tiles::kColumns);
    }
  }
}

/// packed [width / tiles::kRows, kStripDepthTiles] tiles: a column of a tile is a key, a row a
/// place in the value. What is NaN or infinite is left out: returns whether nothing is. `rows` is
/// memory for 2 + tiles::kDepth of them.
inline bool pack_values(const KeySource& values, const Sequence& sequence, std::int64_t kv_head,
                        std::int64_t first, std::int64_t width, bfloat16* rows, bfloat16* packed) {
  bool finite = true;
  bfloat16* woven = rows + 2 * width;
  for (std::int64_t depth = 0; depth < kStripDepthTiles; ++depth) {
    for (std::int64_t pair = 0; pair < tiles::kDepth / 2; ++pair) {
      const std::int64_t j = first + depth * tiles::kDepth + 2 * pair;
      copy_key(values, sequence, kv_head, j, width, rows);
      copy_key(values, sequence, kv_head, j + 1, width, rows + width);
      finite &= weave_rows(rows, rows + width, width, tiles::kTileElements,
                           woven + pair * 2 * tiles::kColumns);
    }
    for (std::int64_t tile = 0; tile < width / tiles::kRows; ++tile) {
      transpose_tile(woven + tile * tiles::kTileElements,
                     packed + (tile * kStripDepthTiles + depth) * tiles::kTileElements);
    }
  }
  return finite;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
