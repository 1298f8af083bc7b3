// From queries and a tile of keys to the gradients of their scores: what every gradient needs.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include "attention/kernels/simd/backward_call.h"
#include "attention/kernels/simd/dropout_row.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/small_product.inl.h"

#if defined(LIMELIGHT_BACKWARD_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_BACKWARD_TILE_INL_H
#undef LIMELIGHT_BACKWARD_TILE_INL_H
#else
#define LIMELIGHT_BACKWARD_TILE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Keys and values of a tile, transposed, into the scratch. Returns whether all are finite.
inline bool load_tile_transposed(const BackwardCall& call, const KeyTile& tile,
                                 const BackwardScratch& scratch) {
  const KeyRange keys = tile.keys();
  const std::int64_t count = keys.end - keys.begin;
  const bool finite_keys = load_keys_transposed(call.keys, tile.sequence, tile.kv_head, keys.begin,
                                                count, call.shape.head_dim, call.head_width,
                                                scratch.rows, scratch.keys_transposed);
  const bool finite_values = load_keys_transposed(
      call.values, tile.sequence, tile.kv_head, keys.begin, count, call.shape.value_dim,
      call.value_width, scratch.rows, scratch.values_transposed);
  return finite_keys && finite_values;
}

/// Queries and gradients of out of the part's rows. Returns whether all are finite.
inline bool load_queries(const BackwardCall& call, const QueryBlock& block, const TilePart& part,
                         const BackwardScratch& scratch) {
  const ConstTensorView& query = call.arguments.query;
  const ConstTensorView& grad_out = call.arguments.grad_out;
  const Sequence& sequence = block.place.sequence;
  bool finite = true;
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    const std::int64_t i = sequence.first_query + block.first + r;
    float* to_query = scratch.query + r * call.head_width;
    float* to_grad = scratch.grad_out + r * call.value_width;
    load_row(query.raw(), query.dtype(), row_offset(query, sequence.batch, block.place.head, i),
             call.shape.head_dim, call.softmax_scale, call.head_width, to_query);
    load_row(grad_out.raw(), grad_out.dtype(),
             row_offset(grad_out, sequence.batch, block.place.head, i), call.shape.value_dim, 1,
             call.value_width, to_grad);
    finite =
        finite && all_finite(call.head_width, to_query) && all_finite(call.value_width, to_grad);
  }
  return finite;
}

/// weights = exp(scores - lse), and with softcap's slope and dropout's factor where given
///   grad_scores = weights * (factor * grad_weights - delta) * slope,   weights *= factor.
/// Scores of -infinity get 0, whatever stands in grad_weights.
inline void differentiate_softmax(std::int64_t width, float lse, float delta, const float* slopes,
                                  const float* factors, float* weights, float* grad_scores) {
  const D d;
  const V hidden = hn::Set(d, kMinusInfinity);
  for_each_vector(width, [&](std::int64_t c) HWY_ATTR {
    const V score = hn::LoadU(d, weights + c);
    const V weight = exp_of(hn::Sub(score, hn::Set(d, lse)));
    V grad_weight = hn::LoadU(d, grad_scores + c);
    V kept = weight;
    if (factors) {
      const V factor = hn::LoadU(d, factors + c);
      grad_weight = hn::Mul(grad_weight, factor);
      kept = hn::Mul(kept, factor);
    }
    V grad_score = hn::Mul(weight, hn::Sub(grad_weight, hn::Set(d, delta)));
    if (slopes) grad_score = hn::Mul(grad_score, hn::LoadU(d, slopes + c));
    const auto is_hidden = hn::Eq(score, hidden);
    hn::StoreU(hn::IfThenZeroElse(is_hidden, kept), d, weights + c);
    hn::StoreU(hn::IfThenZeroElse(is_hidden, grad_score), d, grad_scores + c);
  });
}

/// What gradients are of: the products query . key * scale, or the scores that softcap made of
/// them.
enum class Slope { of_products, of_scores };

/// Row r of a tile from dot products to kept weights and gradients. Returns whether the row sees
/// all columns of the part.
inline bool differentiate_row(const BackwardCall& call, const QueryBlock& block, KeyRange tile,
                              const TilePart& part, Slope slope, const BackwardScratch& scratch,
                              std::int64_t r) {
  const HeadPlace place = block.place;
  const Sequence& sequence = place.sequence;
  const std::int64_t query = block.first + r;
  float* weights = scratch.weights + r * kTileKeys + part.begin;
  float* grad_scores = scratch.grad_scores + r * kTileKeys + part.begin;
  const ConstTensorView& lse_view = call.arguments.lse;
  const auto lse = static_cast<float>(
      read_number(lse_view.raw(), lse_view.dtype(),
                  row_offset(lse_view, sequence.batch, place.head, sequence.first_query + query)));
  if (lse == kMinusInfinity) {  // nothing was visible
    std::fill_n(weights, part.columns(), 0.0f);
    std::fill_n(grad_scores, part.columns(), 0.0f);
    return false;
  }
  const KeyRange seen = columns_seen(call, sequence, query, tile);
  const float* additions = call.has_additions ? scratch.additions + r * kTileKeys : nullptr;
  finish_scores({seen.begin, seen.end, additions, call.softcap}, part.begin, part.end,
                scratch.weights + r * kTileKeys, scratch.slopes);
  const bool by_slope = call.softcap != 0 && slope == Slope::of_products;
  const DropoutMask* dropout = call.visibility.dropout();
  if (dropout) {
    fill_dropout_factors(*dropout, call.visibility.dropout_row(sequence, place.head), query, tile,
                         scratch.factors);
    std::fill(scratch.factors + (tile.end - tile.begin), scratch.factors + kTileKeys, 1.0f);
  }
  differentiate_softmax(part.columns(), lse, call.delta[call.row_index(place, query)],
                        by_slope ? scratch.slopes + part.begin : nullptr,
                        dropout ? scratch.factors + part.begin : nullptr, weights, grad_scores);
  return seen.begin <= part.begin && part.end <= seen.end && !call.visibility.looks_up_keys();
}

/// What is known of a tile whose weights and gradients of scores stand in the scratch.
struct TileScores {
  TilePart part;          ///< empty when nothing of the tile is visible
  bool safe_to_multiply;  ///< all is visible, or all is finite: 0 times what is hidden is 0
};

/// REQUIRES: load_tile_transposed was called for the tile.
inline TileScores differentiate_scores(const BackwardCall& call, const KeyTile& tile,
                                       const QueryBlock& block, Slope slope,
                                       const BackwardScratch& scratch) {
  const KeyRange keys = tile.keys();
  constexpr TileScores kNothing = {{0, 0, 0, 0}, true};
  const TilePart part = part_seen(call, tile.sequence, block.first, block.rows, keys);
  if (part.empty()) return kNothing;
  if (call.has_additions) {
    bool any = false;
    for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
      float* row = scratch.additions + r * kTileKeys;
      any |= call.visibility.fill_additions(tile.sequence, block.place.head, block.first + r, keys,
                                            row);
      std::fill(row + (keys.end - keys.begin), row + kTileKeys, 0.0f);
    }
    if (!any) return kNothing;
  }
  const bool finite = load_queries(call, block, part, scratch) && tile.finite;

  const std::int64_t at = part.first_row * kTileKeys + part.begin;
  // scores = query key^T
  small_product<Product::overwrite>(
      part.rows(), part.columns(), call.shape.head_dim,
      {scratch.query + part.first_row * call.head_width, call.head_width, 1},
      {scratch.keys_transposed + part.begin, kTileKeys}, {scratch.weights + at, kTileKeys});
  // out = weights value, so grad_weights = grad_out value^T
  small_product<Product::overwrite>(
      part.rows(), part.columns(), call.shape.value_dim,
      {scratch.grad_out + part.first_row * call.value_width, call.value_width, 1},
      {scratch.values_transposed + part.begin, kTileKeys}, {scratch.grad_scores + at, kTileKeys});
  bool all_visible = true;
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    all_visible &= differentiate_row(call, block, keys, part, slope, scratch, r);
  }
  return {part, finite || all_visible};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
