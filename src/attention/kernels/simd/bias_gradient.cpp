#include <algorithm>
#include <vector>

#include "attention/element.h"
#include "attention/kernels/simd/backward_call.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/bias_gradient.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/backward_tile.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_BIAS_GRADIENT_TYPES
#define LIMELIGHT_SIMD_BIAS_GRADIENT_TYPES
namespace limelight::simd {

/// Every batch item, head or tile that there is.
inline constexpr std::int64_t kEvery = -1;

/// A piece of work: all that is added to the elements of one batch item and head of bias (kEvery
/// where it has one for all) that belong to tile number `tile` of keys. Pieces share no element.
struct BiasPiece {
  std::int64_t batch, head, tile;
};

/// f32 sums of the gradient, read as [batch, head, query, key].
struct BiasSums {
  float* sums;
  BroadcastView place;
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Adds the gradients of a tile's scores with all queries of one head.
void add_head(const BackwardCall& call, const KeyTile& tile, std::int64_t head,
              const BackwardScratch& scratch, const BiasSums& bias) {
  const Sequence& sequence = tile.sequence;
  const KeyRange keys = tile.keys();
  for (std::int64_t i = 0; i < call.blocks_of(sequence); ++i) {
    const QueryBlock block = query_block(call, {sequence, head}, 0, i);
    if (!block.may_see(tile.index)) continue;
    const TilePart part = differentiate_scores(call, tile, block, Slope::of_scores, scratch).part;
    const std::int64_t end = std::min(part.end, keys.end - keys.begin);
    for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
      const float* from = scratch.grad_scores + r * kTileKeys;
      float* to = bias.sums + bias.place.offset(sequence.batch, head,
                                                sequence.first_query + block.first + r,
                                                sequence.first_key + keys.begin);
      const std::int64_t stride = bias.place.strides[3];
      for (std::int64_t c = part.begin; c < end; ++c) to[c * stride] += from[c];
    }
  }
}

void add_piece(const BackwardCall& call, const BiasPiece& piece, const BackwardScratch& scratch,
               const BiasSums& bias) {
  for (const Sequence& sequence : call.visibility.sequences()) {
    if (piece.batch != kEvery && piece.batch != sequence.batch) continue;
    const std::int64_t tiles = ceil_div(sequence.kv_len, kTileKeys);
    const std::int64_t first = piece.tile == kEvery ? 0 : piece.tile;
    const std::int64_t last = piece.tile == kEvery ? tiles : std::min(piece.tile + 1, tiles);
    for (std::int64_t t = first; t < last; ++t) {
      for (std::int64_t head = 0; head < call.shape.num_heads; ++head) {
        if (piece.head != kEvery && piece.head != head) continue;
        if (call.stop.stopped()) return;  // one piece may be all there is
        KeyTile tile = {sequence, head / call.shape.group(), t, 0};
        tile.finite = load_tile_transposed(call, tile, scratch);
        add_head(call, tile, head, scratch, bias);
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(add_piece);

/// The extent of one of the axes [batch, head, query, key] of a tensor that broadcasts to them.
std::int64_t extent_of(const TensorView& bias, int axis) {
  const int own = axis - (4 - bias.rank());
  return own < 0 ? 1 : bias.size(own);
}

std::vector<BiasPiece> list_pieces(const BackwardCall& call, const TensorView& bias) {
  std::int64_t tiles = 0;
  for (const Sequence& sequence : call.visibility.sequences()) {
    tiles = std::max(tiles, ceil_div(sequence.kv_len, kTileKeys));
  }
  // kEvery, alone, where bias has one element for all of an axis; else 0, 1, 2, ...
  const auto numbers = [&](int axis, std::int64_t count) {
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < count && extent_of(bias, axis) > 1; ++i) all.push_back(i);
    return all.empty() ? std::vector<std::int64_t>{kEvery} : all;
  };
  std::vector<BiasPiece> pieces;
  for (const std::int64_t batch : numbers(0, call.shape.batch)) {
    for (const std::int64_t head : numbers(1, call.shape.num_heads)) {
      for (const std::int64_t tile : numbers(3, tiles)) pieces.push_back({batch, head, tile});
    }
  }
  return pieces;
}

/// Element i, counted in the order of the sizes, in elements of a view's memory.
std::int64_t element_offset(const TensorView& view, std::int64_t i) {
  std::int64_t offset = 0;
  for (int axis = view.rank() - 1; axis >= 0; --axis) {
    offset += i % view.size(axis) * view.stride(axis);
    i /= view.size(axis);
  }
  return offset;
}

}  // namespace

void store_bias_gradient(BackwardCall& call, bool alone,
                         const std::vector<BackwardScratch>& scratch_of_thread) {
  call.block_rows = kBackwardRows;  // what the scratch is for
  call.turns = nullptr;             // grad_query is not added to
  const TensorView& gradient = call.arguments.gradients.bias;
  std::vector<float> sums(static_cast<std::size_t>(gradient.elements()));
  const BiasSums bias = {sums.data(),
                         BroadcastView(ConstTensorView(sums.data(), DType::f32, gradient.sizes()))};
  const std::vector<BiasPiece> pieces = list_pieces(call, gradient);
  const auto add = LIMELIGHT_DISPATCH(add_piece);
  parallel_for_in_order(std::ssize(pieces), alone, [&](std::int64_t index, int thread) {
    add(call, pieces[static_cast<std::size_t>(index)],
        scratch_of_thread[static_cast<std::size_t>(thread)], bias);
  });
  for (std::int64_t i = 0; i < gradient.elements(); ++i) {
    write_number(gradient.raw(), gradient.dtype(), element_offset(gradient, i),
                 sums[static_cast<std::size_t>(i)]);
  }
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
