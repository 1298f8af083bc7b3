// From scores in f32 to weights in bf16, a lane for each query.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/amx/scores.inl.h"
#include "attention/kernels/amx/short_exp.inl.h"

#if defined(LIMELIGHT_AMX_WEIGH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_WEIGH_INL_H
#undef LIMELIGHT_AMX_WEIGH_INL_H
#else
#define LIMELIGHT_AMX_WEIGH_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// The largest score of each of a vector of queries, `query` being the first. Where there are NaNs,
/// any number of the query's or NaN.
HWY_INLINE V largest_scores(const Strip& strip, std::int64_t query) {
  const D d;
  const float* scores = strip.scores + score_index(0, query);
  V even = hn::LoadU(d, scores);
  V odd = hn::LoadU(d, scores + tiles::kColumns);
  for (std::int64_t key = 2; key < kStripKeys; key += 2) {
    even = hn::Max(even, hn::LoadU(d, scores + key * tiles::kColumns));
    odd = hn::Max(odd, hn::LoadU(d, scores + (key + 1) * tiles::kColumns));
  }
  return hn::Max(even, odd);
}

/// How far, as a power of two, a score may stand above its query's shift. Any shift gives the same
/// weights but for a factor, which the sum has too; and with one that is not moved for every new
/// maximum, the context is rescaled a few times in all instead of at every other strip.
inline constexpr float kMostAboveShift = 8;

/// Moves the shifts that scores stand too far above, to the scores; their sums go along. Returns
/// whether contexts have to, by `rescales`. A query's shift depends on its own scores alone.
inline bool move_shifts(const Strip& strip, float log2_unit, std::int64_t query, V largest,
                        float* rescales) {
  const D d;
  BlockState& state = strip.block->state;
  const V shift = hn::LoadU(d, state.shifts.data() + query);
  const V unit = hn::Set(d, log2_unit);
  // -infinity is above nothing, and its difference to itself is not a number.
  const auto moves = hn::Gt(hn::Mul(hn::Sub(largest, shift), unit), hn::Set(d, kMostAboveShift));
  if (hn::AllFalse(d, moves)) return false;
  const V next = hn::IfThenElse(moves, largest, shift);
  // What was weighed before the first visible score weighs 0: no factor changes it.
  const auto had_shift = hn::And(moves, hn::Gt(shift, hn::Set(d, kMinusInfinity)));
  const V one = hn::Set(d, 1.0f);
  const V rescale =
      hn::IfThenElse(had_shift, short_exp2_of(hn::Mul(hn::Sub(shift, next), unit)), one);
  hn::StoreU(next, d, state.shifts.data() + query);
  hn::StoreU(hn::Mul(hn::LoadU(d, state.sums.data() + query), rescale), d,
             state.sums.data() + query);
  hn::StoreU(rescale, d, rescales + query);
  return !hn::AllFalse(d, had_shift);
}

/// The weights of one piece for a vector of queries: 2^((score - shift) unit), added to the sums in
/// f32; times dropout's factors, and in bf16.
HWY_INLINE void weigh_piece(const Strip& strip, V unit, std::int64_t first_key,
                            std::int64_t query) {
  const D d;
  BlockState& state = strip.block->state;
  V shift = hn::LoadU(d, state.shifts.data() + query);
  // A query that has seen nothing yet has no maximum: its weights are 0, or NaN where it sees NaN.
  shift = hn::IfThenZeroElse(hn::Eq(shift, hn::Set(d, kMinusInfinity)), shift);
  V sum = hn::LoadU(d, state.sums.data() + query);
  const float* scores = strip.scores + score_index(first_key, query);
  bfloat16* weights = strip.weights + weight_index(first_key, query);
  for (std::int64_t key = 0; key < kPieceKeys; key += 2) {
    const float* pair_scores = scores + key * tiles::kColumns;
    const V even_score = hn::LoadU(d, pair_scores);
    const V odd_score = hn::LoadU(d, pair_scores + tiles::kColumns);
    V even = short_exp2_of(hn::Mul(hn::Sub(even_score, shift), unit));
    V odd = short_exp2_of(hn::Mul(hn::Sub(odd_score, shift), unit));
    sum = hn::Add(sum, hn::Add(even, odd));
    if (strip.factors != nullptr) {
      const float* factors = strip.factors + (pair_scores - strip.scores);
      even = hn::Mul(even, hn::LoadU(d, factors));
      odd = hn::Mul(odd, hn::LoadU(d, factors + tiles::kColumns));
    }
    hn::StoreU(rounded_pairs(even, odd), d,
               reinterpret_cast<float*>(weights + key * tiles::kColumns));
  }
  hn::StoreU(sum, d, state.sums.data() + query);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
