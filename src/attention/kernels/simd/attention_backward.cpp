#include <algorithm>
#include <cstdint>
#include <vector>

#include "attention/kernels/simd/attention.h"
#include "attention/kernels/simd/fused_backward.h"
#include "attention/scratch.h"
#include "base/dispatch.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_ATTENTION_BACKWARD_TYPES
#define LIMELIGHT_SIMD_ATTENTION_BACKWARD_TYPES
namespace limelight::simd {

struct VectorCall : BackwardCall {
  VectorCall(const BackwardArguments& call_arguments, const AttentionShape& call_shape,
             const AttentionOptions& options, const Visibility& call_visibility)
      : BackwardCall(call_arguments, call_shape, options, call_visibility, kBackwardRows) {}

  float* query_sums = nullptr;  ///< rows of head_dim; null where grad_query is f32 and sums itself
};

}  // namespace limelight::simd
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/attention_backward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/backward_rows.inl.h"
#include "attention/kernels/simd/backward_tile.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/small_product.inl.h"

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Where the sums of grad_query of rows [i, ...) of a head are kept.
Rows<float> query_sums(const VectorCall& call, HeadPlace place, std::int64_t i) {
  if (call.query_sums) {
    return {call.query_sums + call.row_index(place, i) * call.shape.head_dim, call.shape.head_dim};
  }
  const TensorView& gradient = call.arguments.gradients.query;
  return {gradient.data<float>() + row_offset(gradient, place.sequence.batch, place.head,
                                              place.sequence.first_query + i),
          gradient.stride(2)};
}

/// The sum of out * grad_out of each row, and grad_query begins at 0.
void prepare_rows(const VectorCall& call, const QueryBlock& block, const BackwardScratch& scratch) {
  store_deltas(call, block, scratch.rows, scratch.grad_out);
  for (std::int64_t r = 0; call.wants_query() && r < block.rows; ++r) {
    std::fill_n(query_sums(call, block.place, block.first + r).data, call.shape.head_dim, 0.0f);
  }
}

/// What the part adds to the three gradients, each product beside the forward's line that it
/// undoes.
void add_products(const BackwardCall& call, const TilePart& part, const BackwardScratch& scratch) {
  const std::int64_t first = part.first_row;
  const float* weights = scratch.weights + first * kTileKeys + part.begin;
  const float* grad_scores = scratch.grad_scores + first * kTileKeys + part.begin;
  const Rows<const float> query = {scratch.query + first * call.head_width, call.head_width};
  const Rows<const float> grad_out = {scratch.grad_out + first * call.value_width,
                                      call.value_width};
  // out = weights value, so grad_value += weights^T grad_out
  small_product<Product::accumulate>(
      part.columns(), call.shape.value_dim, part.rows(), {weights, 1, kTileKeys}, grad_out,
      {scratch.grad_values + part.begin * call.value_width, call.value_width});
  // scores = (scale query) key^T, so grad_key += grad_scores^T (scale query)
  small_product<Product::accumulate>(
      part.columns(), call.shape.head_dim, part.rows(), {grad_scores, 1, kTileKeys}, query,
      {scratch.grad_keys + part.begin * call.head_width, call.head_width});
  // and grad_query += scale grad_scores key; the scale comes last
  if (!call.wants_query()) return;
  small_product<Product::overwrite>(
      part.rows(), call.shape.head_dim, part.columns(), {grad_scores, kTileKeys, 1},
      {scratch.keys + part.begin * call.head_width, call.head_width},
      {scratch.grad_query + first * call.head_width, call.head_width});
}

/// The same, pair by pair, where something is NaN or infinite: what is hidden is never multiplied,
/// not even with 0.
void add_visible_products(const BackwardCall& call, const QueryBlock& block, KeyRange tile,
                          const TilePart& part, const BackwardScratch& scratch) {
  const auto add = [](std::int64_t width, const float* factor, const float* row, float* sums) {
    small_product<Product::accumulate>(1, width, 1, {factor, 0, 0}, {row, 0}, {sums, 0});
  };
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    float* grad_query = scratch.grad_query + r * call.head_width;
    std::fill_n(grad_query, call.head_width, 0.0f);
    for (std::int64_t c = part.begin; c < part.end; ++c) {
      const Sequence& sequence = block.place.sequence;
      if (!call.visibility.visible(sequence, block.place.head, block.first + r, tile.begin + c)) {
        continue;
      }
      const float* weight = scratch.weights + r * kTileKeys + c;
      const float* grad_score = scratch.grad_scores + r * kTileKeys + c;
      add(call.value_width, weight, scratch.grad_out + r * call.value_width,
          scratch.grad_values + c * call.value_width);
      add(call.head_width, grad_score, scratch.query + r * call.head_width,
          scratch.grad_keys + c * call.head_width);
      add(call.head_width, grad_score, scratch.keys + c * call.head_width, grad_query);
    }
  }
}

/// A tile of keys with a block of queries: adds to the tile's gradients, and leaves grad_query's
/// share in the scratch. Returns the part of it that there is; none when nothing is visible.
TilePart differentiate_tile(const BackwardCall& call, const KeyTile& tile, const QueryBlock& block,
                            const BackwardScratch& scratch) {
  const TileScores scores = differentiate_scores(call, tile, block, Slope::of_products, scratch);
  if (scores.part.empty()) return scores.part;
  if (scores.safe_to_multiply) {
    add_products(call, scores.part, scratch);
  } else {
    add_visible_products(call, block, tile.keys(), scores.part, scratch);
  }
  return scores.part;
}

/// Adds a tile's share to grad_query when its turn has come; the last one applies the scale.
void add_query_gradient(const VectorCall& call, const KeyTile& tile, const QueryBlock& block,
                        const TilePart& part, const BackwardScratch& scratch) {
  wait_for_turn(tile, block);
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    float* sums = query_sums(call, block.place, block.first + r).data;
    const float* share = scratch.grad_query + r * call.head_width;
    for (std::int64_t d = 0; d < call.shape.head_dim; ++d) sums[d] += share[d];
  }
  for (std::int64_t r = 0; is_last(tile, block) && r < block.rows; ++r) {
    store_query_gradient(call, block, r, query_sums(call, block.place, block.first + r).data);
  }
  pass_turn(tile, block);
}

/// All that a tile of keys takes part in: every query head that reads it, every block of queries
/// that sees it.
void differentiate_keys(const VectorCall& call, KeyTile tile, const BackwardScratch& scratch) {
  const KeyRange keys = tile.keys();
  tile.finite = load_tile_transposed(call, tile, scratch);
  load_keys(call.keys, tile.sequence, tile.kv_head, keys.begin, keys.end - keys.begin,
            call.head_width, scratch.keys);
  std::fill_n(scratch.grad_keys, kTileKeys * call.head_width, 0.0f);
  std::fill_n(scratch.grad_values, kTileKeys * call.value_width, 0.0f);
  for_each_block_of(call, tile, [&](const QueryBlock& block) {
    const TilePart part = differentiate_tile(call, tile, block, scratch);
    if (call.wants_query()) add_query_gradient(call, tile, block, part, scratch);
  });
  store_keys(tile, call.grad_keys, 1,
             [&](std::int64_t c) { return scratch.grad_keys + c * call.head_width; });
  store_keys(tile, call.grad_values, 1,
             [&](std::int64_t c) { return scratch.grad_values + c * call.value_width; });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(prepare_rows);
HWY_EXPORT(differentiate_keys);

/// What differentiate_in_order() asks of these kernels.
class VectorKernels {
 public:
  VectorKernels(VectorCall& call, bool alone) : call_(call), alone_(alone) {}

  std::int64_t floats(std::int64_t /*blocks*/, int threads) const {
    return padded(sums()) + threads * BackwardScratch::floats(call_);
  }
  void take(Scratch& memory, std::int64_t /*blocks*/, int threads) {
    call_.query_sums = sums() > 0 ? memory.take(padded(sums())) : nullptr;
    scratch_of_thread_.reserve(static_cast<std::size_t>(threads));
    for (int t = 0; t < threads; ++t) scratch_of_thread_.emplace_back(call_, memory);
  }
  void prepare(const QueryBlock& block, int thread) const {
    LIMELIGHT_DISPATCH(prepare_rows)
    (call_, block, scratch_of_thread_[static_cast<std::size_t>(thread)]);
  }
  void differentiate(const KeyTile& tile, int thread) const {
    LIMELIGHT_DISPATCH(differentiate_keys)
    (call_, tile, scratch_of_thread_[static_cast<std::size_t>(thread)]);
  }
  void store_bias_gradient() const { simd::store_bias_gradient(call_, alone_, scratch_of_thread_); }

 private:
  /// A grad_query in f32 is its own sums.
  std::int64_t sums() const {
    const bool in_place = call_.arguments.gradients.query.dtype() == DType::f32;
    return call_.wants_query() && !in_place ? call_.rows() * call_.shape.head_dim : 0;
  }

  VectorCall& call_;
  bool alone_;
  std::vector<BackwardScratch> scratch_of_thread_;
};

}  // namespace

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility) {
  VectorCall call(arguments, shape, options, visibility);
  VectorKernels kernels(call, is_alone(call));
  differentiate_in_order(call, options, kernels);
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
