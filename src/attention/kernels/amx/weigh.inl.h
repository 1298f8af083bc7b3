// From scores in f32 to weights in bf16, a lane for each query.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/simd/rows.inl.h"

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

using simd::HWY_NAMESPACE::D;
using simd::HWY_NAMESPACE::kMinusInfinity;
using simd::HWY_NAMESPACE::V;
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kLog2E = 1.44269504f;

/// 2^x within a factor of 1 +- 2^-13 where the result is a normal number, exactly 1 for 0; 0 below,
/// NaN for NaN. A sixteenth of what rounding to bf16 adds, and as short as that allows: x = n + r
/// with n whole, and 2^r = 1 + r (c1 + r (c2 + r c3)). The coefficients were found by iteratively
/// reweighted least squares. REQUIRES: x < 127, or NaN.
HWY_INLINE V short_exp2_of(V x) {
  const D d;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL  // which have instructions for n and r
  // 0 <= r < 1, relative error 8.6e-5 at most.
  const V r = V{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  V p = hn::Set(d, 0x1.3baaa6p-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.d2378ap-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.63e658p-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  // A result that is no normal number would cost hundreds of cycles to make: it is left out.
  const __mmask16 is_normal = _mm512_cmp_ps_mask(x.raw, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
  return V{_mm512_maskz_scalef_ps(is_normal, p.raw, x.raw)};
#else
  // |r| <= 1/2, relative error 1.02e-4 at most. A number of 24 bits plus kShift has none left for a
  // fraction: the sum is rounded to a whole one, which stands in its lowest bits, with the bias of
  // an exponent.
  const hn::RebindToUnsigned<D> du;
  constexpr float kShift = 0x1.8p23f + 127;
  const V shifted = hn::Add(x, hn::Set(d, kShift));
  const V r = hn::Sub(x, hn::Sub(shifted, hn::Set(d, kShift)));
  V p = hn::Set(d, 0x1.c2a21ap-5f);
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.f00c4ep-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.62f5fap-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const V power_of_two = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0f)), hn::Mul(p, power_of_two));
#endif
}

/// exp(x), likewise. REQUIRES: x < 88, or NaN.
HWY_INLINE V short_exp_of(V x) { return short_exp2_of(hn::Mul(x, hn::Set(D(), kLog2E))); }

/// Pairs of bf16: `even` in the lower halves. Rounded to nearest, halves away from 0 (which takes
/// one addition, where to even takes three more). A NaN may come out as anything: the sum shows it.
HWY_INLINE V rounded_pairs(V even, V odd) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto half = hn::Set(du, 0x8000u);
  const auto lower = hn::ShiftRight<16>(hn::Add(hn::BitCast(du, even), half));
  const auto upper = hn::Add(hn::BitCast(du, odd), half);
  return hn::BitCast(d, hn::OrAnd(lower, upper, hn::Set(du, 0xffff0000u)));
}

/// body(lane), the first lane of each vector of a tile of queries.
template <class Body>
HWY_INLINE void for_each_lanes(const Body& body) {
  for (std::int64_t lane = 0; lane < tiles::kColumns;
       lane += static_cast<std::int64_t>(hn::Lanes(D()))) {
    body(lane);
  }
}

/// body(row), a pointer to each vector of a strip's scores.
template <class Body>
HWY_INLINE void for_each_score(const Strip& strip, const Body& body) {
  const std::int64_t scores = strip.block->query_tiles() * kStripKeys * tiles::kColumns;
  for (std::int64_t i = 0; i < scores; i += static_cast<std::int64_t>(hn::Lanes(D()))) body(i);
}

/// Scaled dot products become scores: softcap, and what is added, -infinity where hidden (whatever
/// stood there: also NaN).
inline void finish_scores(const TileCall& call, const Strip& strip) {
  const D d;
  const V scale = hn::Set(d, call.softmax_scale);
  const V cap = hn::Set(d, call.softcap);
  const V hidden = hn::Set(d, kMinusInfinity);
  for_each_score(strip, [&](std::int64_t i) HWY_ATTR {
    V score = hn::Mul(hn::LoadU(d, strip.scores + i), scale);
    if (call.softcap != 0) {
      score = hn::Mul(cap, simd::HWY_NAMESPACE::tanh_of(hn::Div(score, cap)));
    }
    if (call.has_additions) {
      const V added = hn::LoadU(d, strip.additions + i);
      score = hn::IfThenElse(hn::Eq(added, hidden), hidden, hn::Add(score, added));
    }
    hn::StoreU(score, d, strip.scores + i);
  });
}

/// Keys outside a query's range become -infinity for it.
inline void hide_outside(const TileCall& call, const simd::HeadPlace& place, const Strip& strip) {
  const D d;
  const hn::RebindToSigned<D> di;
  std::array<std::int32_t, kQueryRows> begins, ends;
  for (std::int64_t r = 0; r < kQueryRows; ++r) {
    const std::int64_t query = strip.block->first_query + std::min(r, strip.block->rows - 1);
    const KeyRange seen = columns_seen(call, place.sequence, query, strip.keys);
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
