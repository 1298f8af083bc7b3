// Scores of a strip, a lane for each query: what is looked up for them, and what stands between dot
// products and the softmax.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <limits>

#include "attention/kernels/amx/pack.inl.h"
#include "attention/kernels/amx/score_strip.h"
#include "attention/kernels/simd/forward_rows.inl.h"
#include "attention/kernels/simd/rows.inl.h"

#if defined(LIMELIGHT_AMX_SCORES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_SCORES_INL_H
#undef LIMELIGHT_AMX_SCORES_INL_H
#else
#define LIMELIGHT_AMX_SCORES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// Rows [kQueryRows, kStripKeys] to where the scores of their keys stand.
inline void transpose_rows(const float* rows, std::int64_t query_tiles, float* scores) {
  for (std::int64_t r = 0; r < query_tiles * tiles::kColumns; r += 4) {
    for (std::int64_t key = 0; key < kStripKeys; key += 4) {
      transpose_numbers(rows + r * kStripKeys + key, kStripKeys, scores + score_index(key, r),
                        tiles::kColumns);
    }
  }
}

/// What is to be known of a strip before it is weighed. False when nothing of it is visible.
/// `rows` is memory for kStripScores.
template <class Block>
bool look_up_strip(const TileCall& call, const HeadPlace& place, const ScoreStrip<Block>& strip,
                   float* rows) {
  const TileBlock& block = *strip.block;
  if (call.has_additions) {
    const QueryRows queries = {place, block.first_query, 0, block.rows};
    if (!look_up(call, queries, strip.keys, kStripKeys, rows)) return false;
    transpose_rows(rows, block.query_tiles(), strip.additions);
  }
  if (call.visibility.dropout() != nullptr) {
    for (std::int64_t r = 0; r < block.rows; ++r) {
      look_up_dropout(call, place, block.first_query + r, strip.keys, kStripKeys,
                      rows + r * kStripKeys);
    }
    transpose_rows(rows, block.query_tiles(), strip.factors);
  }
  return true;
}

/// body(lane), the first lane of each vector of a tile of queries.
template <class Body>
HWY_INLINE void for_each_lanes(const Body& body) {
  for (std::int64_t lane = 0; lane < tiles::kColumns;
       lane += static_cast<std::int64_t>(hn::Lanes(D()))) {
    body(lane);
  }
}

/// body(i), the place of each vector of a strip's scores.
template <class Block, class Body>
HWY_INLINE void for_each_score(const ScoreStrip<Block>& strip, const Body& body) {
  const std::int64_t scores = strip.block->query_tiles() * kStripKeys * tiles::kColumns;
  for (std::int64_t i = 0; i < scores; i += static_cast<std::int64_t>(hn::Lanes(D()))) body(i);
}

/// Scaled dot products become scores: softcap, and what is added, -infinity where hidden (whatever
/// stood there: also NaN). Where `slopes` is given, it becomes softcap's d score / d scaled
/// product.
template <class Block>
void finish_scores(const TileCall& call, const ScoreStrip<Block>& strip, float* slopes) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V scale = hn::Set(d, call.softmax_scale);
  const V cap = hn::Set(d, call.softcap);
  const V hidden = hn::Set(d, kMinusInfinity);
  const V not_a_number = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  for_each_score(strip, [&](std::int64_t i) HWY_ATTR {
    V score = hn::Mul(hn::LoadU(d, strip.scores + i), scale);
    if (call.softcap != 0) {
      const V tanh = tanh_of(hn::Div(score, cap));
      score = hn::Mul(cap, tanh);
      if (slopes) hn::StoreU(hn::NegMulAdd(tanh, tanh, one), d, slopes + i);
    }
    if (call.has_additions) {
      const V added = hn::LoadU(d, strip.additions + i);
      const V sum = hn::Add(score, added);
      score = hn::IfThenElse(hn::Eq(sum, sum), sum, not_a_number);  // whose bits rounding keeps
      score = hn::IfThenElse(hn::Eq(added, hidden), hidden, score);
    }
    hn::StoreU(score, d, strip.scores + i);
  });
}

/// Keys outside a query's range become -infinity for it, and all where there is no query.
template <class Block>
void hide_outside(const TileCall& call, const HeadPlace& place, const ScoreStrip<Block>& strip) {
  const D d;
  const hn::RebindToSigned<D> di;
  std::array<std::int32_t, kQueryRows> begins = {};
  std::array<std::int32_t, kQueryRows> ends = {};
  for (std::int64_t r = 0; r < strip.block->rows; ++r) {
    const KeyRange seen =
        columns_seen(call, place.sequence, strip.block->first_query + r, strip.keys);
    begins[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(seen.begin);
    ends[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(seen.end);
  }
  const V hidden = hn::Set(d, kMinusInfinity);
  for (std::int64_t tile = 0; tile < strip.block->query_tiles(); ++tile) {
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const std::int64_t query = tile * tiles::kColumns + lane;
      const auto begin = hn::LoadU(di, begins.data() + query);
      const auto end = hn::LoadU(di, ends.data() + query);
      for (std::int64_t key = 0; key < kStripKeys; ++key) {
        const auto place_of_key = hn::Set(di, static_cast<std::int32_t>(key));
        const auto outside =
            hn::Or(hn::Lt(place_of_key, begin), hn::Not(hn::Lt(place_of_key, end)));
        float* scores = strip.scores + score_index(key, query);
        hn::StoreU(hn::IfThenElse(hn::RebindMask(d, outside), hidden, hn::LoadU(d, scores)), d,
                   scores);
      }
    });
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
