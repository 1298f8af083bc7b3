#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/element.h"
#include "attention/kernels/simd/attention.h"
#include "attention/kernels/simd/fused_forward.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "attention/softmax_state.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/attention_forward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/forward_rows.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/small_product.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_ATTENTION_FORWARD_TYPES
#define LIMELIGHT_SIMD_ATTENTION_FORWARD_TYPES
namespace limelight::simd {

/// Keys and values of one head of one sequence, in f32, tile after tile of kTileKeys. What lies
/// beyond the last key is 0.
struct PackedHead {
  float* keys;          ///< tiles of [head_dim, kTileKeys]: transposed
  float* values;        ///< [tiles * kTileKeys, value_width]
  bool* finite_values;  ///< [tiles]: none of a tile's values is NaN or infinite
};

/// A thread's own memory.
struct ForwardScratch {
  float* query;      ///< [kTaskRows, head_width], times softmax_scale
  float* context;    ///< [kTaskRows, value_width]
  float* weights;    ///< [kQueryRows, kTileKeys]: scores first
  float* additions;  ///< [kQueryRows, kTileKeys]
  float* factors;    ///< [kTileKeys], of dropout

  static std::int64_t floats(const KernelCall& call) {
    return kTaskRows * (call.head_width + call.value_width) + (2 * kQueryRows + 1) * kTileKeys;
  }
  ForwardScratch(const KernelCall& call, Scratch& scratch)
      : query(scratch.take(kTaskRows * call.head_width)),
        context(scratch.take(kTaskRows * call.value_width)),
        weights(scratch.take(kQueryRows * kTileKeys)),
        additions(scratch.take(kQueryRows * kTileKeys)),
        factors(scratch.take(kTileKeys)) {}

  ForwardScratch from_row(const KernelCall& call, std::int64_t row) const {
    ForwardScratch moved = *this;
    moved.query += row * call.head_width;
    moved.context += row * call.value_width;
    return moved;
  }
};

/// Some queries of one head: a task's, at most kTaskRows, or a block of them, at most kQueryRows.
struct ForwardBlock {
  HeadPlace place;
  PackedHead packed;
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  float sink;  ///< -infinity: none

  ForwardBlock from_row(std::int64_t row) const {
    return {place, packed, first_query + row, std::min(kQueryRows, rows - row), sink};
  }
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// One tile of keys and values of a head, from memory of any type and stride.
void pack_tile(const KernelCall& call, const KeySource& keys, const KeySource& values,
               const Sequence& sequence, std::int64_t kv_head, std::int64_t tile,
               const PackedHead& packed, float* rows) {
  const std::int64_t first = tile * kTileKeys;
  const std::int64_t count = std::min(kTileKeys, sequence.kv_len - first);
  load_keys_transposed(keys, sequence, kv_head, first, count, call.shape.head_dim, call.head_width,
                       rows, packed.keys + first * call.shape.head_dim);
  packed.finite_values[tile] = load_keys(values, sequence, kv_head, first, count, call.value_width,
                                         packed.values + first * call.value_width);
}

/// context[r] += sum over keys of weight * value for a tile in which some values are NaN or
/// infinite: those that a row does not see are never multiplied, not even with 0.
void add_visible_values(const KernelCall& call, const ForwardBlock& block, KeyRange tile,
                        const TilePart& part, const ForwardScratch& scratch) {
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    for (std::int64_t c = part.begin; c < part.end; ++c) {
      if (!call.visibility.visible(block.place.sequence, block.place.head, block.first_query + r,
                                   tile.begin + c)) {
        continue;
      }
      small_product<Product::accumulate>(
          1, call.value_width, 1, {scratch.weights + r * kTileKeys + c, 0, 0},
          {block.packed.values + (tile.begin + c) * call.value_width, 0},
          {scratch.context + r * call.value_width, 0});
    }
  }
}

/// Row r's scores become weights; where its shift moves, what was summed before is rescaled.
/// Returns whether the row sees all columns of the part.
bool weigh_row(const KernelCall& call, const ForwardBlock& block, KeyRange tile,
               const TilePart& part, const ForwardScratch& scratch, std::int64_t r,
               SoftmaxState<float>& state) {
  const std::int64_t query = block.first_query + r;
  const KeyRange seen = columns_seen(call, block.place.sequence, query, tile);
  const bool sees_all = seen.begin <= part.begin && part.end <= seen.end;
  float* row = scratch.weights + r * kTileKeys;
  if (!sees_all || call.has_additions || call.softcap != 0) {
    const float* additions = call.has_additions ? scratch.additions + r * kTileKeys : nullptr;
    finish_scores({seen.begin, seen.end, additions, call.softcap}, part.begin, part.end, row,
                  nullptr);
  }
  const float rescale = move_shift(row_maximum(part.columns(), row + part.begin), state);
  if (rescale != 1) {
    scale_row(call.value_width, rescale, scratch.context + r * call.value_width);
  }
  weigh_scores(part.columns(), state, row + part.begin);
  if (call.visibility.dropout()) {
    look_up_dropout(call, block.place, query, tile, kTileKeys, scratch.factors);
    multiply_row(part.columns(), scratch.factors + part.begin, row + part.begin);
  }
  return sees_all && !call.visibility.looks_up_keys();
}

void attend_to_tile(const KernelCall& call, const ForwardBlock& block, KeyRange tile,
                    const ForwardScratch& scratch, SoftmaxState<float>* states) {
  const TilePart part = part_seen(call, block.place.sequence, block.first_query, block.rows, tile);
  if (part.empty()) return;
  const QueryRows rows = {block.place, block.first_query, part.first_row, part.last_row};
  if (call.has_additions && !look_up(call, rows, tile, kTileKeys, scratch.additions)) return;

  // scores = query key^T
  const float* keys = block.packed.keys + tile.begin * call.shape.head_dim + part.begin;
  float* weights = scratch.weights + part.first_row * kTileKeys + part.begin;
  small_product<Product::overwrite>(
      part.rows(), part.columns(), call.shape.head_dim,
      {scratch.query + part.first_row * call.head_width, call.head_width, 1}, {keys, kTileKeys},
      {weights, kTileKeys});

  // weights = exp(scores - maximum)
  bool all_visible = true;
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    all_visible &= weigh_row(call, block, tile, part, scratch, r, states[r]);
  }

  // context += weights value
  if (!all_visible && !block.packed.finite_values[tile.begin / kTileKeys]) {
    return add_visible_values(call, block, tile, part, scratch);
  }
  small_product<Product::accumulate>(
      part.rows(), call.shape.value_dim, part.columns(), {weights, kTileKeys, 1},
      {block.packed.values + (tile.begin + part.begin) * call.value_width, call.value_width},
      {scratch.context + part.first_row * call.value_width, call.value_width});
}

/// Online softmax (Milakov and Gimelshein 2018; Dao 2022) of a task's queries over tiles of keys,
/// each tile fetched once for all of its blocks.
void forward_task(const KernelCall& call, const ForwardArguments& arguments,
                  const ForwardBlock& task, const ForwardScratch& scratch) {
  const Sequence& sequence = task.place.sequence;
  const ConstTensorView& query = arguments.query;
  for (std::int64_t r = 0; r < task.rows; ++r) {
    load_row(query.raw(), query.dtype(),
             row_offset(query, sequence.batch, task.place.head,
                        sequence.first_query + task.first_query + r),
             call.shape.head_dim, call.softmax_scale, call.head_width,
             scratch.query + r * call.head_width);
  }
  std::fill_n(scratch.context, task.rows * call.value_width, 0.0f);
  SoftmaxState<float> states[kTaskRows];

  const std::int64_t begin = call.visibility.range(sequence, task.first_query).begin;
  const std::int64_t end = call.visibility.range(sequence, task.first_query + task.rows - 1).end;
  for (std::int64_t j = begin / kTileKeys * kTileKeys; j < end; j += kTileKeys) {
    const KeyRange tile = {j, std::min(j + kTileKeys, sequence.kv_len)};
    for (std::int64_t r = 0; r < task.rows; r += kQueryRows) {
      attend_to_tile(call, task.from_row(r), tile, scratch.from_row(call, r), states + r);
    }
  }
  for (std::int64_t r = 0; r < task.rows; ++r) {
    finish_row(arguments, task.place, task.first_query + r, task.sink, states[r],
               call.shape.value_dim, scratch.context + r * call.value_width);
  }
}

std::int64_t compiled_target() { return HWY_TARGET; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(pack_tile);
HWY_EXPORT(forward_task);
HWY_EXPORT(compiled_target);

/// What pack_and_attend() is told of these kernels.
struct Forward {
  using Call = KernelCall;
  using Scratch = ForwardScratch;
  using Block = ForwardBlock;
  static constexpr std::int64_t kTileKeys = simd::kTileKeys;
  static constexpr std::int64_t kQueryRows = simd::kQueryRows;
  static constexpr std::int64_t kTaskRows = simd::kTaskRows;

  /// Of a tile's keys, its values, and one byte.
  static std::int64_t tile_floats(const KernelCall& call) {
    return kTileKeys * (call.shape.head_dim + call.value_width) + kLaneMultiple;
  }
  static PackedHead packed_head(const KernelCall& call, float* memory, std::int64_t tiles) {
    float* values = memory + tiles * kTileKeys * call.shape.head_dim;
    return {memory, values, reinterpret_cast<bool*>(values + tiles * kTileKeys * call.value_width)};
  }
};

}  // namespace

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility) {
  const KernelCall call(shape, options, visibility);
  const auto pack = LIMELIGHT_DISPATCH(pack_tile);
  const auto attend = LIMELIGHT_DISPATCH(forward_task);
  pack_and_attend<Forward>(
      call, arguments, options,
      [&](const KeySource& keys, const KeySource& values, const Sequence& sequence,
          std::int64_t kv_head, std::int64_t tile, const PackedHead& packed,
          const ForwardScratch& scratch) {
        pack(call, keys, values, sequence, kv_head, tile, packed, scratch.query);
      },
      [&](const KeySource&, const ForwardBlock& task, const ForwardScratch& scratch) {
        attend(call, arguments, task, scratch);
      });
}

std::string instruction_set_of_kernels() {
  return name_of_target(LIMELIGHT_DISPATCH(compiled_target)());
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
