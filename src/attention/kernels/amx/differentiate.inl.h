// From dot products in f32 to weights and gradients of scores in bf16, a lane for each query.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/amx/backward_block.h"
#include "attention/kernels/amx/scores.inl.h"
#include "attention/kernels/amx/short_exp.inl.h"

#if defined(LIMELIGHT_AMX_DIFFERENTIATE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_AMX_DIFFERENTIATE_INL_H
#undef LIMELIGHT_AMX_DIFFERENTIATE_INL_H
#else
#define LIMELIGHT_AMX_DIFFERENTIATE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// Weights as dropout keeps them, and gradients of the scaled products.
struct Differentiated {
  V weight, grad_score;
};

/// What is known of a vector of queries.
struct QueryLanes {
  V lse, delta;
};

/// weight = exp(score - lse), and with dropout's factor and softcap's slope where given
///   grad_score = weight * (factor * grad_weight - delta) * slope,   weight *= factor,
/// both 0 where nothing is visible, whatever stands in grad_weights. `i` is the score's place.
HWY_INLINE Differentiated differentiate_vector(const GradientStrip& strip, V unit,
                                               const QueryLanes& queries, std::int64_t i) {
  const D d;
  const V score = hn::Mul(hn::LoadU(d, strip.scores + i), unit);
  const V weight = short_exp_of(hn::Sub(score, queries.lse));
  V grad_weight = hn::LoadU(d, strip.grad_weights + i);
  V kept = weight;
  if (strip.factors != nullptr) {
    const V factor = hn::LoadU(d, strip.factors + i);
    grad_weight = hn::Mul(grad_weight, factor);
    kept = hn::Mul(kept, factor);
  }
  V grad_score = hn::Mul(weight, hn::Sub(grad_weight, queries.delta));
  if (strip.slopes != nullptr) grad_score = hn::Mul(grad_score, hn::LoadU(d, strip.slopes + i));
  const auto hidden = hn::Or(hn::Eq(score, hn::Set(d, kMinusInfinity)),
                             hn::Eq(queries.lse, hn::Set(d, kSeesNothing)));
  return {hn::IfThenZeroElse(hidden, kept), hn::IfThenZeroElse(hidden, grad_score)};
}

/// Where the other tile of queries of the part would be empty, it takes part in sums over queries.
inline void clear_absent_tile(const BlockPart& part, const WeighedStrip& to) {
  if (part.query_tiles() == kQueryTiles) return;
  for (std::int64_t key = 0; key < kStripKeys; ++key) {
    const std::int64_t row = row_index(part.part, key, tiles::kColumns);
    std::fill_n(to.weights + row, tiles::kColumns, bfloat16());
    std::fill_n(to.grad_scores + row, tiles::kColumns, bfloat16());
  }
}

/// Dot products are what gradients of scores are made of: all that stands before is done.
inline void complete_dots(const TileCall& call, const GradientStrip& strip) {
  const BlockPart& part = *strip.block;
  if (!call.weighs_products) finish_scores(call, strip, strip.slopes);
  const bool is_whole = strip.is_whole() && part.rows == part.query_tiles() * tiles::kColumns;
  if (!is_whole || !part.sees_all_of(strip.keys)) {
    hide_outside(call, strip.met->queries.place, strip);
  }
}

/// Makes of a strip what enters the gradients, piece after piece.
class StripDifferentiation {
 public:
  StripDifferentiation(const TileCall& call, const GradientStrip& strip, const WeighedStrip& to)
      : strip_(strip), to_(to), unit_(call.score_unit()) {
    clear_absent_tile(*strip.block, to);
  }

  std::int64_t pieces() const { return strip_.block->query_tiles() * kPieces; }

  HWY_NOINLINE void next() {
    const std::int64_t key = piece_ % kPieces * kPieceKeys;
    const std::int64_t tile = piece_ / kPieces;
    ++piece_;
    for_each_lanes([&](std::int64_t lane)
                       HWY_ATTR { differentiate_piece(key, tile * tiles::kColumns + lane); });
  }

 private:
  static constexpr std::int64_t kPieces = kStripKeys / kPieceKeys;  ///< of a tile of queries

  HWY_INLINE void differentiate_piece(std::int64_t first_key, std::int64_t query) {
    const D d;
    const V unit = hn::Set(d, unit_);
    const BlockPart& part = *strip_.block;
    const QueryLanes queries = {hn::LoadU(d, part.lse + query), hn::LoadU(d, part.delta + query)};
    bfloat16* turned = to_.grad_turned + part.part * kStripScores + weight_index(first_key, query);
    for (std::int64_t key = 0; key < kPieceKeys; key += 2) {
      const std::int64_t i = score_index(first_key + key, query);
      const Differentiated even = differentiate_vector(strip_, unit, queries, i);
      const Differentiated odd = differentiate_vector(strip_, unit, queries, i + tiles::kColumns);
      const std::int64_t row = row_index(part.part, first_key + key, query);
      store_rounded(even.weight, to_.weights + row);
      store_rounded(odd.weight, to_.weights + row + tiles::kDepth);
      store_rounded(even.grad_score, to_.grad_scores + row);
      store_rounded(odd.grad_score, to_.grad_scores + row + tiles::kDepth);
      hn::StoreU(rounded_pairs(even.grad_score, odd.grad_score), d,
                 reinterpret_cast<float*>(turned + key * tiles::kColumns));
    }
  }

  const GradientStrip& strip_;
  const WeighedStrip& to_;
  float unit_;
  std::int64_t piece_ = 0;
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
