// What every fused backward does with whole rows: the sum that its queries need, and the gradients
// on their way to memory of any type.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/simd/backward_call.h"
#include "attention/kernels/simd/rows.inl.h"

#if defined(LIMELIGHT_BACKWARD_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_BACKWARD_ROWS_INL_H
#undef LIMELIGHT_BACKWARD_ROWS_INL_H
#else
#define LIMELIGHT_BACKWARD_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// The sum of out * grad_out of each row of a block, which is the sum of weights * grad_weights.
/// `out_row` and `grad_row` are memory for a row of value_width.
inline void store_deltas(const BackwardCall& call, const QueryBlock& block, float* out_row,
                         float* grad_row) {
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t i = sequence.first_query + block.first + r;
    const auto load = [&](const ConstTensorView& view, float* row) {
      load_row(view.raw(), view.dtype(), row_offset(view, sequence.batch, block.place.head, i),
               call.shape.value_dim, 1, call.value_width, row);
    };
    load(call.arguments.out, out_row);
    load(call.arguments.grad_out, grad_row);
    const D d;
    V sum = hn::Zero(d);
    for_each_vector(call.value_width, [&](std::int64_t c) HWY_ATTR {
      sum = hn::MulAdd(hn::LoadU(d, out_row + c), hn::LoadU(d, grad_row + c), sum);
    });
    call.delta[call.row_index(block.place, block.first + r)] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

/// Row r of a block's grad_query, of which all is summed but the scale.
inline void store_query_gradient(const BackwardCall& call, const QueryBlock& block, std::int64_t r,
                                 const float* sums) {
  const TensorView& gradient = call.arguments.gradients.query;
  const Sequence& sequence = block.place.sequence;
  store_row(sums, call.softmax_scale, call.shape.head_dim, gradient.raw(), gradient.dtype(),
            row_offset(gradient, sequence.batch, block.place.head,
                       sequence.first_query + block.first + r));
}

/// The gradients of a tile's keys (or values): row_of(c) is that of key number c, before `scale`.
template <class RowOf>
void store_keys(const KeyTile& tile, const KeyTarget& target, float scale, const RowOf& row_of) {
  const KeyRange keys = tile.keys();
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const auto [view, offset] = target.find(tile.sequence, tile.kv_head, j);
    if (view.empty()) continue;
    store_row(row_of(j - keys.begin), scale, view.size(3), view.raw(), view.dtype(), offset);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
