// From scores in f32 to weights in bf16, a lane for each query.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/amx/scores.inl.h"
#include "attention/kernels/amx/short_exp.inl.h"
#include "attention/softmax_state.h"

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
  const auto row = [&](std::int64_t key)
                       HWY_ATTR { return hn::LoadU(d, scores + key * tiles::kColumns); };
  // Four chains: a maximum takes 4 cycles, and one can start in each.
  V a = row(0), b = row(1), c = row(2), e = row(3);
  for (std::int64_t key = 4; key < kStripKeys; key += 4) {
    a = hn::Max(a, row(key));
    b = hn::Max(b, row(key + 1));
    c = hn::Max(c, row(key + 2));
    e = hn::Max(e, row(key + 3));
  }
  return hn::Max(hn::Max(a, b), hn::Max(c, e));
}

/// Weighs a strip, piece after piece: weight = 2^((score - shift) * unit), added to the sums in
/// f32; times dropout's factors, and in bf16. The difference comes first: at huge scores a
/// product's rounding alone would be a power of two to overflow.
class StripWeighing {
 public:
  /// `unit` makes powers of two of scores; `rescales` [kQueryRows] becomes what the context so far
  /// is to be multiplied by.
  StripWeighing(const Strip& strip, float unit, float* rescales)
      : strip_(strip), unit_(unit), rescales_(rescales) {
    std::fill_n(rescales, kQueryRows, 1.0f);
  }

  std::int64_t pieces() const { return strip_.block->query_tiles() * kPieces; }

  HWY_NOINLINE void next() {
    const std::int64_t key = piece_ % kPieces * kPieceKeys;
    const std::int64_t tile = piece_ / kPieces;
    ++piece_;
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const std::int64_t query = tile * tiles::kColumns + lane;
      if (key == 0) move_shifts(query);
      weigh_piece(key, query);
    });
  }

  /// Whether any of the context so far is to be rescaled.
  bool rescales() const { return any_rescale_; }

 private:
  static constexpr std::int64_t kPieces = kStripKeys / kPieceKeys;  ///< of a tile of queries

  /// Moves the shifts that scores stand too far above, to the scores; their sums go along. A
  /// query's shift depends on its own scores alone.
  void move_shifts(std::int64_t query) {
    const D d;
    BlockState& state = strip_.block->state;
    const V unit = hn::Set(d, unit_);
    const V shift = hn::LoadU(d, state.shifts.data() + query);
    const V largest = largest_scores(strip_, query);
    // -infinity is above nothing, and its difference to itself is not a number.
    const auto moves = hn::Gt(hn::Mul(hn::Sub(largest, shift), unit), hn::Set(d, kMostAboveShift));
    if (hn::AllFalse(d, moves)) return;
    const V next = hn::IfThenElse(moves, largest, shift);
    // What was weighed before the first visible score weighs 0: no factor changes it.
    const auto had_shift = hn::And(moves, hn::Gt(shift, hn::Set(d, kMinusInfinity)));
    const V rescale = hn::IfThenElse(had_shift, short_exp2_of(hn::Mul(hn::Sub(shift, next), unit)),
                                     hn::Set(d, 1.0f));
    hn::StoreU(next, d, state.shifts.data() + query);
    hn::StoreU(hn::Mul(hn::LoadU(d, state.sums.data() + query), rescale), d,
               state.sums.data() + query);
    hn::StoreU(rescale, d, rescales_ + query);
    any_rescale_ |= !hn::AllFalse(d, had_shift);
  }

  HWY_INLINE void weigh_piece(std::int64_t first_key, std::int64_t query) {
    const D d;
    BlockState& state = strip_.block->state;
    const V unit = hn::Set(d, unit_);
    V shift = hn::LoadU(d, state.shifts.data() + query);
    // A query that has seen nothing yet has no maximum: its weights are 0, or NaN where it sees
    // NaN.
    shift = hn::IfThenZeroElse(hn::Eq(shift, hn::Set(d, kMinusInfinity)), shift);
    V sum = hn::LoadU(d, state.sums.data() + query);
    const float* scores = strip_.scores + score_index(first_key, query);
    bfloat16* weights = strip_.weights + weight_index(first_key, query);
    const auto weight_of = [&](const float* score) HWY_ATTR {
      return short_exp2_of(hn::Mul(hn::Sub(hn::LoadU(d, score), shift), unit));
    };
    for (std::int64_t key = 0; key < kPieceKeys; key += 2) {
      const float* pair = scores + key * tiles::kColumns;
      V even = weight_of(pair);
      V odd = weight_of(pair + tiles::kColumns);
      sum = hn::Add(sum, hn::Add(even, odd));
      if (strip_.factors != nullptr) {
        const float* factors = strip_.factors + (pair - strip_.scores);
        even = hn::Mul(even, hn::LoadU(d, factors));
        odd = hn::Mul(odd, hn::LoadU(d, factors + tiles::kColumns));
      }
      hn::StoreU(rounded_pairs(even, odd), d,
                 reinterpret_cast<float*>(weights + key * tiles::kColumns));
    }
    hn::StoreU(sum, d, state.sums.data() + query);
  }

  const Strip& strip_;
  float unit_;
  float* rescales_;
  std::int64_t piece_ = 0;
  bool any_rescale_ = false;
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
