// What every fused forward does with a row of scores before it is weighed, and with a row of the
// context after the last one.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention/kernels/simd/dropout_row.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/softmax_state.h"

#if defined(LIMELIGHT_FORWARD_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_FORWARD_ROWS_INL_H
#undef LIMELIGHT_FORWARD_ROWS_INL_H
#else
#define LIMELIGHT_FORWARD_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Queries first_query + r of a head for r in [first_row, last_row).
struct QueryRows {
  const HeadPlace& place;
  std::int64_t first_query;
  std::int64_t first_row, last_row;
};

/// What is added to the scores of some queries for `keys`: [rows, width], beyond the last key 0.
/// False when nothing of it is visible. REQUIRES: has_additions; at most `width` keys.
inline bool look_up(const KernelCall& call, const QueryRows& rows, KeyRange keys,
                    std::int64_t width, float* additions) {
  bool any = false;
  for (std::int64_t r = rows.first_row; r < rows.last_row; ++r) {
    float* row = additions + r * width;
    any |= call.visibility.fill_additions(rows.place.sequence, rows.place.head,
                                          rows.first_query + r, keys, row);
    std::fill(row + (keys.end - keys.begin), row + width, 0.0f);
  }
  return any;
}

/// Dropout's factors of a query for `keys`: [width], beyond the last key 1. REQUIRES: keys begin at
/// a multiple of `width`, which is one of 4 * kLaneMultiple, and are at most `width`.
inline void look_up_dropout(const KernelCall& call, const HeadPlace& place, std::int64_t query,
                            KeyRange keys, std::int64_t width, float* factors) {
  fill_dropout_factors(*call.visibility.dropout(),
                       call.visibility.dropout_row(place.sequence, place.head), query, keys,
                       factors);
  std::fill(factors + (keys.end - keys.begin), factors + width, 1.0f);
}

/// out = context / sum of weights, the sink's included (-infinity: none).
inline void finish_row(const ForwardArguments& arguments, const HeadPlace& place,
                       std::int64_t query, float sink, SoftmaxState<float> state,
                       std::int64_t value_dim, const float* context) {
  const Sequence& sequence = place.sequence;
  const std::int64_t i = sequence.first_query + query;
  float factor = 0;
  if (!state.empty()) {
    const float before = state.maximum;
    if (sink != kMinusInfinity) state.merge({sink, 1});
    factor = std::exp(before - state.maximum) / state.sum;
  }
  const TensorView& out = arguments.out;
  store_row(context, factor, value_dim, out.raw(), out.dtype(),
            row_offset(out, sequence.batch, place.head, i));
  if (const TensorView& lse = arguments.lse; !lse.empty()) {
    write_number(lse.raw(), lse.dtype(), row_offset(lse, sequence.batch, place.head, i),
                 state.lse());
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
