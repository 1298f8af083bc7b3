// Dot products of a few queries with a tile of keys, all in bf16, by a tile unit: a row for each
// query, as the vector kernels make them of f32.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <cstdint>

#include "attention/kernels/amx/pack.inl.h"
#include "attention/kernels/amx/score_rows.h"

#if defined(LIMELIGHT_AMX_SCORE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_SCORE_ROWS_INL_H
#undef LIMELIGHT_AMX_SCORE_ROWS_INL_H
#else
#define LIMELIGHT_AMX_SCORE_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// Keys key_at(0) to key_at(count - 1) of a head, as columns, and zeros up to a whole tile of them.
template <class KeyAt>
void pack_key_columns(const KeySource& keys, const Sequence& sequence, std::int64_t kv_head,
                      const KeyAt& key_at, std::int64_t count, const ScoreOperands& to) {
  for (std::int64_t first = 0; first < count; first += tiles::kColumns) {
    for (std::int64_t i = 0; i < tiles::kColumns; ++i) {
      const std::int64_t key = first + i < count ? key_at(first + i) : sequence.kv_len;
      copy_key(keys, sequence, kv_head, key, to.width, to.key_rows + i * to.width);
    }
    pack_as_columns(to.key_rows, to.width, to.keys + first * to.width);
  }
}

/// Queries query_at(0) to query_at(count - 1) of a head, as rows. What follows them up to a whole
/// tile is left as it is: it enters no product but its own.
template <class QueryAt>
void copy_query_rows(const ConstTensorView& query, const HeadPlace& place, const QueryAt& query_at,
                     std::int64_t count, const ScoreOperands& to) {
  for (std::int64_t r = 0; r < count; ++r) {
    copy_query(query, place, query_at(r), to.width, to.queries + r * to.width);
  }
}

/// products [queries, stride] = queries keys^T, up to whole tiles of either.
inline void multiply_score_rows(const tiles::TileUnit& unit, std::int64_t queries,
                                std::int64_t keys, const ScoreOperands& operands, float* products,
                                std::int64_t stride) {
  tiles::TileSession session(unit);
  const std::int64_t column = tiles::kColumns * operands.width;
  const std::int64_t column_tiles = ceil_div(keys, tiles::kColumns);
  for (std::int64_t tile = 0; tile < column_tiles; tile += 2) {
    session.multiply({.row_tiles = queries > tiles::kRows ? 2 : 1,
                      .column_tiles = tile + 1 < column_tiles ? 2 : 1,
                      .depth_tiles = operands.width / tiles::kDepth,
                      .accumulate = false,
                      .left = operands.queries,
                      .left_stride = operands.width,
                      .right = operands.keys + tile * column,
                      .right_tile_stride = column,
                      .sums = products + tile * tiles::kColumns,
                      .sums_stride = stride});
  }
  session.finish();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
