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
  hn::Mask<D> seeing;  ///< those that are there and see anything

  HWY_INLINE static QueryLanes of(const BlockPart& part, std::int64_t query) {
    const D d;
    const V lse = hn::LoadU(d, part.lse + query);
    return {lse, hn::LoadU(d, part.delta + query), hn::Not(hn::Eq(lse, hn::Set(d, kSeesNothing)))};
  }
};

/// weight = exp(score - lse), and with dropout's factor and softcap's slope where given
///   grad_score = weight * (factor * grad_weight - delta) * slope,   weight *= factor,
/// both 0 where nothing is visible, whatever stands in scores and grad_weights. `i` is the score's
/// place. `kPlain`: there is no factor and no slope.
template <bool kPlain>
HWY_INLINE Differentiated differentiate_vector(const GradientStrip& strip, V unit,
                                               const QueryLanes& queries, std::int64_t i) {
  const D d;
  const V score = hn::Mul(hn::LoadU(d, strip.scores + i), unit);
  const auto visible = hn::AndNot(hn::Eq(score, hn::Set(d, kMinusInfinity)), queries.seeing);
  const V weight = short_exp_of(hn::Sub(score, queries.lse), visible);
  V grad_weight = hn::LoadU(d, strip.grad_weights + i);
  V kept = weight;
  if (!kPlain && strip.factors != nullptr) {
    const V factor = hn::LoadU(d, strip.factors + i);
    grad_weight = hn::Mul(grad_weight, factor);
    kept = hn::IfThenElseZero(visible, hn::Mul(kept, factor));
  }
  V grad_score = hn::Mul(weight, hn::Sub(grad_weight, queries.delta));
  if (!kPlain && strip.slopes != nullptr) {
    grad_score = hn::Mul(grad_score, hn::LoadU(d, strip.slopes + i));
  }
  return {kept, hn::IfThenElseZero(visible, grad_score)};
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

/// Makes of a strip what enters the gradients, piece after piece: some keys, for both tiles of
/// queries, which stand in pairs where a product sums over queries.
class StripDifferentiation {
 public:
  StripDifferentiation(const TileCall& call, const GradientStrip& strip, const WeighedStrip& to)
      : strip_(strip), to_(to), unit_(call.score_unit()) {}

  std::int64_t pieces() const { return kStripKeys / kKeys; }

  HWY_NOINLINE void next() {
    if (strip_.factors == nullptr && strip_.slopes == nullptr) {
      differentiate_piece<true>();
    } else {
      differentiate_piece<false>();
    }
    key_ += kKeys;
  }

 private:
  static constexpr std::int64_t kKeys = kPieceKeys / kQueryTiles;  ///< of a piece
  static_assert(kQueryTiles == 2, "a pair");
  static_assert(tiles::kRows % kKeys == 0, "a piece's keys are of one tile");

  template <bool kPlain>
  HWY_INLINE void differentiate_piece() {
    for_each_lanes([&](std::int64_t lane) HWY_ATTR { differentiate_lanes<kPlain>(lane); });
  }

  template <bool kPlain>
  HWY_INLINE void differentiate_lanes(std::int64_t lane) {
    const D d;
    const V unit = hn::Set(d, unit_);
    const BlockPart& part = *strip_.block;
    const std::int64_t other_lane = tiles::kColumns + lane;  // of the other tile
    const QueryLanes queries = QueryLanes::of(part, lane);
    const QueryLanes others = QueryLanes::of(part, other_lane);
    const std::int64_t first = score_index(key_, lane);
    const std::int64_t first_of_others = score_index(key_, other_lane);
    const auto differentiate = [&](const QueryLanes& of, std::int64_t i) HWY_ATTR {
      return differentiate_vector<kPlain>(strip_, unit, of, i);
    };
    const auto store = [&](V x, V y, bfloat16* to) HWY_ATTR {
      hn::StoreU(rounded_pairs(x, y), d, reinterpret_cast<float*>(to));
    };
    const std::int64_t row = row_index(part.part, key_, lane);
    bfloat16* weights = to_.weights + row;
    bfloat16* grad_scores = to_.grad_scores + row;
    bfloat16* turned = to_.grad_turned + part.part * kStripScores + weight_index(key_, lane);
    constexpr std::int64_t kNextTile = weight_index(0, tiles::kColumns);
    HWY_UNROLL(2)
    for (std::int64_t key = 0; key < kKeys; key += 2) {
      const std::int64_t even = key * tiles::kColumns;
      const std::int64_t odd = even + tiles::kColumns;
      const Differentiated a = differentiate(queries, first + even);
      const Differentiated b = differentiate(others, first_of_others + even);
      const Differentiated c = differentiate(queries, first + odd);
      const Differentiated e = differentiate(others, first_of_others + odd);
      store(a.weight, b.weight, weights + key * tiles::kDepth);
      store(c.weight, e.weight, weights + (key + 1) * tiles::kDepth);
      store(a.grad_score, b.grad_score, grad_scores + key * tiles::kDepth);
      store(c.grad_score, e.grad_score, grad_scores + (key + 1) * tiles::kDepth);
      store(a.grad_score, c.grad_score, turned + even);
      store(b.grad_score, e.grad_score, turned + kNextTile + even);
    }
  }

  const GradientStrip& strip_;
  const WeighedStrip& to_;
  float unit_;
  std::int64_t key_ = 0;  ///< the next piece's first
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
