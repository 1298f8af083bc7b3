#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>

#include "attention/element.h"
#include "attention/for_each_task.h"
#include "attention/kernels/simd/attention.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/attention_backward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/small_product.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_ATTENTION_BACKWARD_TYPES
#define LIMELIGHT_SIMD_ATTENTION_BACKWARD_TYPES
namespace limelight::simd {

/// A thread's own memory: a tile of keys with its gradients, and what one block of queries needs.
struct BackwardScratch {
  float* rows;               ///< kLaneMultiple rows, for transposing
  float* keys_transposed;    ///< [head_dim, kTileKeys]
  float* values_transposed;  ///< [value_dim, kTileKeys]
  float* keys;               ///< [kTileKeys, head_width]
  float* grad_keys;          ///< [kTileKeys, head_width]
  float* grad_values;        ///< [kTileKeys, value_width]
  float* query;              ///< [kBackwardRows, head_width], times softmax_scale
  float* grad_query;         ///< [kBackwardRows, head_width], before softmax_scale
  float* grad_out;           ///< [kBackwardRows, value_width]
  float* weights;            ///< [kBackwardRows, kTileKeys]: scores first
  float* grad_scores;        ///< [kBackwardRows, kTileKeys]: gradients of weights first
  float* additions;          ///< [kBackwardRows, kTileKeys]
  float* factors;            ///< [kTileKeys], of dropout
  float* slopes;             ///< [kTileKeys], of softcap

  static std::int64_t floats(const KernelCall& call) {
    const std::int64_t widths = call.head_width + call.value_width;
    return kLaneMultiple * widths + kTileKeys * (2 * widths + call.head_width) +
           kBackwardRows * (widths + call.head_width + 3 * kTileKeys) + 2 * kTileKeys;
  }
  BackwardScratch(const KernelCall& call, Scratch& scratch)
      : rows(scratch.take(kLaneMultiple * (call.head_width + call.value_width))),
        keys_transposed(scratch.take(kTileKeys * call.head_width)),
        values_transposed(scratch.take(kTileKeys * call.value_width)),
        keys(scratch.take(kTileKeys * call.head_width)),
        grad_keys(scratch.take(kTileKeys * call.head_width)),
        grad_values(scratch.take(kTileKeys * call.value_width)),
        query(scratch.take(kBackwardRows * call.head_width)),
        grad_query(scratch.take(kBackwardRows * call.head_width)),
        grad_out(scratch.take(kBackwardRows * call.value_width)),
        weights(scratch.take(kBackwardRows * kTileKeys)),
        grad_scores(scratch.take(kBackwardRows * kTileKeys)),
        additions(scratch.take(kBackwardRows * kTileKeys)),
        factors(scratch.take(kTileKeys)),
        slopes(scratch.take(kTileKeys)) {}
};

/// What every piece of a backward shares.
struct BackwardCall : KernelCall {
  BackwardCall(const BackwardArguments& call_arguments, const AttentionShape& call_shape,
               const AttentionOptions& options, const Visibility& call_visibility)
      : KernelCall(call_shape, options, call_visibility),
        arguments(call_arguments),
        keys{options.past_key, arguments.key, shape.past_len},
        values{options.past_value, arguments.value, shape.past_len},
        grad_keys{arguments.gradients.past_key, arguments.gradients.key, shape.past_len},
        grad_values{arguments.gradients.past_value, arguments.gradients.value, shape.past_len} {}

  bool wants_query() const { return !arguments.gradients.query.empty(); }
  /// Row i of a sequence's head among all rows of all heads.
  std::int64_t row_index(HeadPlace place, std::int64_t i) const {
    const Sequence& sequence = place.sequence;
    return (sequence.batch * shape.num_heads + place.head) * shape.q_len + sequence.first_query + i;
  }

  const BackwardArguments& arguments;
  KeySource keys, values;
  KeyTarget grad_keys, grad_values;
  float* delta = nullptr;       ///< of each row: sum of out * grad_out
  float* query_sums = nullptr;  ///< rows of head_dim; null where grad_query is f32 and sums itself
  /// For each block of queries the tile whose turn it is to add to grad_query. The order of
  /// additions fixes the bits. Pieces of work begin in the order of tiles, so whoever is waited for
  /// is at work.
  std::atomic<std::int64_t>* turns = nullptr;
};

/// Some queries of one head, at most kBackwardRows, and the tiles [first_tile, last_tile) that some
/// of them may see.
struct QueryBlock {
  HeadPlace place;
  std::int64_t first;
  std::int64_t rows;
  std::int64_t first_tile, last_tile;
  std::atomic<std::int64_t>* turn;
};

inline std::int64_t blocks_of(const Sequence& sequence) {
  return ceil_div(sequence.q_len, kBackwardRows);
}

/// `first_block` counts the blocks of the heads and sequences before this head's.
inline QueryBlock query_block(const BackwardCall& call, HeadPlace place, std::int64_t first_block,
                              std::int64_t index) {
  QueryBlock block = {place, index * kBackwardRows, 0, 0, 0, call.turns + first_block + index};
  block.rows = std::min(kBackwardRows, place.sequence.q_len - block.first);
  const std::int64_t begin = call.visibility.range(place.sequence, block.first).begin;
  const std::int64_t end = call.visibility.range(place.sequence, block.first + block.rows - 1).end;
  if (begin < end) {
    block.first_tile = begin / kTileKeys;
    block.last_tile = ceil_div(end, kTileKeys);
  }
  return block;
}

/// One tile of keys of one head of one sequence.
struct KeyTile {
  const Sequence& sequence;
  std::int64_t kv_head;
  std::int64_t index;
  std::int64_t first_block;  ///< of the head's first query head, among all
  bool finite = false;       ///< its keys and values

  KeyRange keys() const {
    return {index * kTileKeys, std::min((index + 1) * kTileKeys, sequence.kv_len)};
  }
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// Where the sums of grad_query of rows [i, ...) of a head are kept.
Rows<float> query_sums(const BackwardCall& call, HeadPlace place, std::int64_t i) {
  if (call.query_sums) {
    return {call.query_sums + call.row_index(place, i) * call.shape.head_dim, call.shape.head_dim};
  }
  const TensorView& gradient = call.arguments.gradients.query;
  return {gradient.data<float>() + row_offset(gradient, place.sequence.batch, place.head,
                                              place.sequence.first_query + i),
          gradient.stride(2)};
}

/// The sum of out * grad_out of each row, which is the sum of weights * grad_weights; and
/// grad_query begins at 0.
void prepare_rows(const BackwardCall& call, const QueryBlock& block,
                  const BackwardScratch& scratch) {
  const auto& [query, key, value, out, lse, grad_out, gradients] = call.arguments;
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t i = sequence.first_query + block.first + r;
    const auto load = [&](const ConstTensorView& view, float* row) {
      load_row(view.raw(), view.dtype(), row_offset(view, sequence.batch, block.place.head, i),
               call.shape.value_dim, 1, call.value_width, row);
    };
    load(out, scratch.rows);
    load(grad_out, scratch.grad_out);
    const D d;
    V sum = hn::Zero(d);
    for_each_vector(call.value_width, [&](std::int64_t c) HWY_ATTR {
      sum = hn::MulAdd(hn::LoadU(d, scratch.rows + c), hn::LoadU(d, scratch.grad_out + c), sum);
    });
    call.delta[call.row_index(block.place, block.first + r)] = hn::GetLane(hn::SumOfLanes(d, sum));
    if (call.wants_query()) {
      std::fill_n(query_sums(call, block.place, block.first + r).data, call.shape.head_dim, 0.0f);
    }
  }
}

/// Queries and gradients of out of the part's rows. Returns whether all are finite.
bool load_queries(const BackwardCall& call, const QueryBlock& block, const TilePart& part,
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
    finite = finite && all_finite(call.shape.head_dim, to_query) &&
             all_finite(call.shape.value_dim, to_grad);
  }
  return finite;
}

/// weights = exp(scores - lse), and with softcap's slope and dropout's factor where given
///   grad_scores = weights * (factor * grad_weights - delta) * slope,   weights *= factor.
/// Scores of -infinity get 0, whatever stands in grad_weights.
void differentiate_softmax(std::int64_t width, float lse, float delta, const float* slopes,
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

/// Row r of a tile from dot products to kept weights and gradients of scores. Returns whether the
/// row sees all columns of the part.
bool differentiate_row(const BackwardCall& call, const QueryBlock& block, KeyRange tile,
                       const TilePart& part, const BackwardScratch& scratch, std::int64_t r) {
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
  const bool dropout = call.visibility.has_dropout();
  if (dropout) {
    call.visibility.fill_dropout_factors(sequence, place.head, query, tile, scratch.factors);
    std::fill(scratch.factors + (tile.end - tile.begin), scratch.factors + kTileKeys, 1.0f);
  }
  differentiate_softmax(part.columns(), lse, call.delta[call.row_index(place, query)],
                        call.softcap != 0 ? scratch.slopes + part.begin : nullptr,
                        dropout ? scratch.factors + part.begin : nullptr, weights, grad_scores);
  return seen.begin <= part.begin && part.end <= seen.end && !call.visibility.looks_up_keys();
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
  const KeyRange keys = tile.keys();
  constexpr TilePart kNothing = {0, 0, 0, 0};
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
    all_visible &= differentiate_row(call, block, keys, part, scratch, r);
  }
  if (finite || all_visible) {
    add_products(call, part, scratch);
  } else {
    add_visible_products(call, block, keys, part, scratch);
  }
  return part;
}

/// Adds a tile's share to grad_query when its turn has come; the last one applies the scale.
void add_query_gradient(const BackwardCall& call, const KeyTile& tile, const QueryBlock& block,
                        const TilePart& part, const BackwardScratch& scratch) {
  for (int spins = 0; block.turn->load(std::memory_order_acquire) != tile.index; ++spins) {
    if (spins > 1000) std::this_thread::yield();
  }
  for (std::int64_t r = part.first_row; r < part.last_row; ++r) {
    float* sums = query_sums(call, block.place, block.first + r).data;
    const float* share = scratch.grad_query + r * call.head_width;
    for (std::int64_t d = 0; d < call.shape.head_dim; ++d) sums[d] += share[d];
  }
  if (tile.index + 1 == block.last_tile) {
    const TensorView& gradient = call.arguments.gradients.query;
    const Sequence& sequence = block.place.sequence;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      store_row(query_sums(call, block.place, block.first + r).data, call.softmax_scale,
                call.shape.head_dim, gradient.raw(), gradient.dtype(),
                row_offset(gradient, sequence.batch, block.place.head,
                           sequence.first_query + block.first + r));
    }
  }
  block.turn->store(tile.index + 1, std::memory_order_release);
}

void store_keys(const KeyTile& tile, const KeyTarget& target, std::int64_t width,
                const float* gradient) {
  const KeyRange keys = tile.keys();
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const auto [view, offset] = target.find(tile.sequence, tile.kv_head, j);
    if (view.empty()) continue;
    store_row(gradient + (j - keys.begin) * width, 1, view.size(3), view.raw(), view.dtype(),
              offset);
  }
}

/// All that a tile of keys takes part in: every query head that reads it, every block of queries
/// that sees it.
void differentiate_keys(const BackwardCall& call, KeyTile tile, const BackwardScratch& scratch) {
  const KeyRange keys = tile.keys();
  const std::int64_t count = keys.end - keys.begin;
  const AttentionShape& shape = call.shape;
  const std::int64_t head_width = call.head_width;
  const std::int64_t value_width = call.value_width;
  load_keys_transposed(call.keys, tile.sequence, tile.kv_head, keys.begin, count, shape.head_dim,
                       head_width, scratch.rows, scratch.keys_transposed);
  const bool finite_values =
      load_keys_transposed(call.values, tile.sequence, tile.kv_head, keys.begin, count,
                           shape.value_dim, value_width, scratch.rows, scratch.values_transposed);
  tile.finite = load_keys(call.keys, tile.sequence, tile.kv_head, keys.begin, count, shape.head_dim,
                          head_width, scratch.keys) &&
                finite_values;
  std::fill_n(scratch.grad_keys, kTileKeys * head_width, 0.0f);
  std::fill_n(scratch.grad_values, kTileKeys * value_width, 0.0f);

  const std::int64_t blocks = blocks_of(tile.sequence);
  for (std::int64_t g = 0; g < shape.group(); ++g) {
    const HeadPlace place = {tile.sequence, tile.kv_head * shape.group() + g};
    for (std::int64_t i = 0; i < blocks; ++i) {
      const QueryBlock block = query_block(call, place, tile.first_block + g * blocks, i);
      if (tile.index < block.first_tile || tile.index >= block.last_tile) continue;
      const TilePart part = differentiate_tile(call, tile, block, scratch);
      if (call.wants_query()) add_query_gradient(call, tile, block, part, scratch);
    }
  }
  store_keys(tile, call.grad_keys, head_width, scratch.grad_keys);
  store_keys(tile, call.grad_values, value_width, scratch.grad_values);
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

/// Keys that belong to no tile, beyond key_lengths, have gradient 0.
void clear_keys_beyond(const AttentionShape& shape, const Sequence& sequence,
                       const KeyTarget& target) {
  for (std::int64_t kv_head = 0; kv_head < shape.num_kv_heads; ++kv_head) {
    for (std::int64_t j = sequence.kv_len; j < shape.kv_len(); ++j) {
      const auto [view, offset] = target.find(sequence, kv_head, j);
      for (std::int64_t d = 0; !view.empty() && d < view.size(3); ++d) {
        write_number(view.raw(), view.dtype(), offset + d, 0);
      }
    }
  }
}

/// A sink is one more score, whose weight meets no value: its gradient is -weight * delta, summed
/// over batch and queries in their order.
void store_sink_gradients(const BackwardCall& call, const AttentionOptions& options) {
  const ConstTensorView& lse = call.arguments.lse;
  const TensorView& gradient = call.arguments.gradients.sinks;
  for (std::int64_t head = 0; head < call.shape.num_heads; ++head) {
    const double sink = sink_of(options, head);
    double sum = 0;
    for (const Sequence& sequence : call.visibility.sequences()) {
      for (std::int64_t i = 0; i < sequence.q_len; ++i) {
        const double row_lse =
            read_number(lse.raw(), lse.dtype(),
                        row_offset(lse, sequence.batch, head, sequence.first_query + i));
        if (row_lse == -std::numeric_limits<double>::infinity()) continue;
        sum -= std::exp(sink - row_lse) * double{call.delta[call.row_index({sequence, head}, i)]};
      }
    }
    write_number(gradient.raw(), gradient.dtype(), head * gradient.stride(0), sum);
  }
}

/// The gradient of queries that no tile adds to.
void store_zero_queries(const BackwardCall& call, const QueryBlock& block) {
  const TensorView& gradient = call.arguments.gradients.query;
  if (gradient.empty()) return;
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t offset = row_offset(gradient, sequence.batch, block.place.head,
                                           sequence.first_query + block.first + r);
    for (std::int64_t d = 0; d < call.shape.head_dim; ++d) {
      write_number(gradient.raw(), gradient.dtype(), offset + d, 0);
    }
  }
}

/// The number of a sequence's first block of queries among those of all heads of all sequences.
std::vector<std::int64_t> first_blocks(const AttentionShape& shape,
                                       const std::vector<Sequence>& sequences) {
  std::vector<std::int64_t> first = {0};
  for (const Sequence& sequence : sequences) {
    first.push_back(first.back() + shape.num_heads * blocks_of(sequence));
  }
  return first;
}

}  // namespace

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility) {
  BackwardCall call(arguments, shape, options, visibility);
  const std::vector<Sequence>& sequences = visibility.sequences();
  const bool alone = 2.5 * shape.multiply_adds() < kLeastWorkToShare;
  const int threads = alone ? 1 : most_threads();

  const std::int64_t rows = shape.batch * shape.num_heads * shape.q_len;
  const bool sums_in_place = arguments.gradients.query.dtype() == DType::f32;
  const std::int64_t sums = call.wants_query() && !sums_in_place ? rows * shape.head_dim : 0;
  Scratch scratch(padded(rows) + padded(sums) + threads * BackwardScratch::floats(call));
  call.delta = scratch.take(padded(rows));
  call.query_sums = sums > 0 ? scratch.take(padded(sums)) : nullptr;
  std::vector<BackwardScratch> scratch_of_thread;
  for (int t = 0; t < threads; ++t) scratch_of_thread.emplace_back(call, scratch);

  const std::vector<std::int64_t> first_block = first_blocks(shape, sequences);
  const auto turns =
      std::make_unique<std::atomic<std::int64_t>[]>(static_cast<std::size_t>(first_block.back()));
  call.turns = turns.get();
  const auto first_block_of = [&](std::int64_t s, std::int64_t head) {
    return first_block[static_cast<std::size_t>(s)] +
           head * blocks_of(sequences[static_cast<std::size_t>(s)]);
  };

  const std::vector<Task> blocks = list_tasks(sequences, shape.num_heads, blocks_of);
  const auto prepare = LIMELIGHT_DISPATCH(prepare_rows);
  parallel_for_in_order(std::ssize(blocks), alone, [&](std::int64_t index, int thread) {
    const auto& [s, head, part] = blocks[static_cast<std::size_t>(index)];
    const HeadPlace place = {sequences[static_cast<std::size_t>(s)], head};
    const QueryBlock block = query_block(call, place, first_block_of(s, head), part);
    block.turn->store(block.first_tile, std::memory_order_relaxed);
    prepare(call, block, scratch_of_thread[static_cast<std::size_t>(thread)]);
    if (block.first_tile == block.last_tile) store_zero_queries(call, block);
  });

  const std::vector<Task> tiles = list_tasks(sequences, shape.num_kv_heads, [](const Sequence& s) {
    return ceil_div(s.kv_len, kTileKeys);
  });
  const auto differentiate = LIMELIGHT_DISPATCH(differentiate_keys);
  parallel_for_in_order(std::ssize(tiles), alone, [&](std::int64_t index, int thread) {
    const auto& [s, kv_head, part] = tiles[static_cast<std::size_t>(index)];
    const KeyTile tile = {sequences[static_cast<std::size_t>(s)], kv_head, part,
                          first_block_of(s, kv_head * shape.group())};
    differentiate(call, tile, scratch_of_thread[static_cast<std::size_t>(thread)]);
  });

  if (options.cu_seqlens_key.empty()) {
    for (const Sequence& sequence : sequences) {
      clear_keys_beyond(shape, sequence, call.grad_keys);
      clear_keys_beyond(shape, sequence, call.grad_values);
    }
  }
  if (!arguments.gradients.sinks.empty()) store_sink_gradients(call, options);
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
