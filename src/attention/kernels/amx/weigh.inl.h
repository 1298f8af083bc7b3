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

/// The largest score of each of a vector of queries; `scores` are those of the strip's first key.
/// Where there are NaNs, any number of the query's or NaN.
HWY_INLINE V largest_scores(const float* scores) {
  const D d;
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

/// Weighs a strip, a tile of queries after the other, piece after piece of its keys: weight =
/// 2^((score - shift) * unit), added to the sums in f32; times dropout's factors, and in bf16. The
/// difference comes first: at huge scores a product's rounding alone would be a power of two to
/// overflow.
///
/// Weights are made before it is known whether a shift has to move, which their sum tells: in the
/// rare case they are made again, where for all others the largest score need not be looked for. A
/// query's shift depends on its own scores alone.
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
    if (piece_ == 0) begin_tile();
    weigh_piece(piece_);
    if (++piece_ < kPieces) return;
    if (shifts_move()) weigh_again();
    finish_tile();
  }

  /// Whether any of the context so far is to be rescaled.
  bool rescales() const { return any_rescale_; }

 private:
  static constexpr std::int64_t kPieces = kStripKeys / kPieceKeys;  ///< of a tile of queries
  static constexpr std::int64_t kPieceScores = kPieceKeys * tiles::kColumns;
  static_assert(score_index(0, tiles::kColumns) == kPieces * kPieceScores &&
                    weight_index(0, tiles::kColumns) == kPieces * kPieceScores &&
                    score_index(kPieceKeys, 0) == kPieceScores &&
                    weight_index(kPieceKeys, 0) == kPieceScores,
                "a piece's scores and weights follow those of the piece before");

  /// The largest sum of a strip's weights that moves no shift: what all its scores make that stand
  /// as far above it as the shift may lag.
  static constexpr float kMostSum = kStripKeys * (1 << static_cast<int>(kMostAboveShift));

  std::int64_t first_query() const { return tile_ * tiles::kColumns; }

  /// A query that has seen nothing yet has no shift: the first that it sees is the largest score.
  HWY_INLINE void begin_tile() {
    const D d;
    const float* shifts = strip_.block->state.shifts.data() + first_query();
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const auto unseen = hn::Eq(hn::LoadU(d, shifts + lane), hn::Set(d, kMinusInfinity));
      if (!hn::AllFalse(d, unseen)) move_shifts(lane, unseen);
      begin_sums(lane);
    });
  }

  /// While a query has no shift its weights are 0, or NaN where it sees NaN.
  HWY_INLINE void begin_sums(std::int64_t lane) {
    const D d;
    const V shift = hn::LoadU(d, strip_.block->state.shifts.data() + first_query() + lane);
    const auto unseen = hn::Eq(shift, hn::Set(d, kMinusInfinity));
    hn::Store(hn::IfThenZeroElse(unseen, shift), d, shifts_ + lane);
    hn::Store(hn::Zero(d), d, sums_ + lane);
  }

  /// Moves the shifts of `moving` queries to their largest score; their sums go along.
  HWY_NOINLINE void move_shifts(std::int64_t lane, hn::Mask<D> moving) {
    const D d;
    const std::int64_t query = first_query() + lane;
    BlockState& state = strip_.block->state;
    const V shift = hn::LoadU(d, state.shifts.data() + query);
    const V largest = largest_scores(strip_.scores + score_index(0, query));
    // Where all is hidden, or NaN, nothing is above.
    const auto moves = hn::And(moving, hn::Gt(largest, shift));
    const V next = hn::IfThenElse(moves, largest, shift);
    // What was weighed before the first visible score weighs 0: no factor changes it.
    const auto had_shift = hn::And(moves, hn::Gt(shift, hn::Set(d, kMinusInfinity)));
    const V distance = hn::Mul(hn::Sub(shift, next), hn::Set(d, unit_));
    const V rescale = hn::IfThenElse(had_shift, short_exp2_of(distance), hn::Set(d, 1.0f));
    hn::StoreU(next, d, state.shifts.data() + query);
    hn::StoreU(hn::Mul(hn::LoadU(d, state.sums.data() + query), rescale), d,
               state.sums.data() + query);
    hn::StoreU(rescale, d, rescales_ + query);
    any_rescale_ |= !hn::AllFalse(d, had_shift);
  }

  HWY_INLINE void weigh_piece(std::int64_t piece) {
    if (strip_.factors == nullptr) {
      weigh_piece<false>(piece);
    } else {
      weigh_piece<true>(piece);
    }
  }

  template <bool kDropout>
  HWY_INLINE void weigh_piece(std::int64_t piece) {
    const D d;
    const V unit = hn::Set(d, unit_);
    const std::int64_t first = (tile_ * kPieces + piece) * kPieceScores;
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const float* scores = strip_.scores + first + lane;
      bfloat16* weights = strip_.weights + first + 2 * lane;
      const V shift = hn::Load(d, shifts_ + lane);
      V sum = hn::Load(d, sums_ + lane);
      const auto weight_of = [&](const float* score) HWY_ATTR {
        return short_exp2_of(hn::Mul(hn::Sub(hn::LoadU(d, score), shift), unit));
      };
      HWY_UNROLL(4)
      for (std::int64_t key = 0; key < kPieceKeys; key += 2) {
        const std::int64_t at = key * tiles::kColumns;
        V even = weight_of(scores + at);
        V odd = weight_of(scores + at + tiles::kColumns);
        sum = hn::Add(sum, hn::Add(even, odd));
        if constexpr (kDropout) {
          const float* factors = strip_.factors + first + lane + at;
          even = hn::Mul(even, hn::LoadU(d, factors));
          odd = hn::Mul(odd, hn::LoadU(d, factors + tiles::kColumns));
        }
        hn::StoreU(rounded_pairs(even, odd), d, reinterpret_cast<float*>(weights + at));
      }
      hn::Store(sum, d, sums_ + lane);
    });
  }

  /// Moves the shifts that the tile's weights stand too far above, if any.
  HWY_INLINE bool shifts_move() {
    const D d;
    bool any = false;
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const auto moving = hn::Gt(hn::Load(d, sums_ + lane), hn::Set(d, kMostSum));
      if (hn::AllFalse(d, moving)) return;
      move_shifts(lane, moving);
      any = true;
    });
    return any;
  }

  HWY_NOINLINE void weigh_again() {
    for_each_lanes([&](std::int64_t lane) HWY_ATTR { begin_sums(lane); });
    for (std::int64_t piece = 0; piece < kPieces; ++piece) weigh_piece(piece);
  }

  /// The tile's weights join the sums.
  HWY_INLINE void finish_tile() {
    const D d;
    float* sums = strip_.block->state.sums.data() + first_query();
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      hn::StoreU(hn::Add(hn::LoadU(d, sums + lane), hn::Load(d, sums_ + lane)), d, sums + lane);
    });
    piece_ = 0;
    ++tile_;
  }

  const Strip& strip_;
  float unit_;
  float* rescales_;
  std::int64_t tile_ = 0;   ///< of queries
  std::int64_t piece_ = 0;  ///< of its keys
  bool any_rescale_ = false;
  // Of the tile's queries.
  alignas(64) float shifts_[tiles::kColumns];  ///< 0 while there is none
  alignas(64) float sums_[tiles::kColumns];    ///< of the strip's weights
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
