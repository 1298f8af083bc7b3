#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>

#include "attention/element.h"
#include "attention/for_each_task.h"
#include "attention/kernels/simd/attention.h"
#include "attention/kernels/simd/backward_call.h"
#include "attention/scratch.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/attention_backward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/backward_tile.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/small_product.inl.h"

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
  const AttentionShape& shape = call.shape;
  const std::int64_t head_width = call.head_width;
  const std::int64_t value_width = call.value_width;
  tile.finite = load_tile_transposed(call, tile, scratch);
  load_keys(call.keys, tile.sequence, tile.kv_head, keys.begin, keys.end - keys.begin,
            shape.head_dim, head_width, scratch.keys);
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

}  // namespace

std::vector<std::int64_t> first_blocks(const AttentionShape& shape,
                                       const std::vector<Sequence>& sequences) {
  std::vector<std::int64_t> first = {0};
  for (const Sequence& sequence : sequences) {
    first.push_back(first.back() + shape.num_heads * blocks_of(sequence));
  }
  return first;
}

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
  scratch_of_thread.reserve(static_cast<std::size_t>(threads));
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
  const auto stopped = [&] { return call.stop.stopped(); };
  const auto prepare = LIMELIGHT_DISPATCH(prepare_rows);
  parallel_for_in_order(std::ssize(blocks), alone, stopped, [&](std::int64_t index, int thread) {
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
  parallel_for_in_order(std::ssize(tiles), alone, stopped, [&](std::int64_t index, int thread) {
    const auto& [s, kv_head, part] = tiles[static_cast<std::size_t>(index)];
    const KeyTile tile = {sequences[static_cast<std::size_t>(s)], kv_head, part,
                          first_block_of(s, kv_head * shape.group())};
    differentiate(call, tile, scratch_of_thread[static_cast<std::size_t>(thread)]);
  });
  if (stopped()) return;

  if (options.cu_seqlens_key.empty()) {
    for (const Sequence& sequence : sequences) {
      clear_keys_beyond(shape, sequence, call.grad_keys);
      clear_keys_beyond(shape, sequence, call.grad_values);
    }
  }
  if (!arguments.gradients.sinks.empty()) store_sink_gradients(call, options);
  if (!arguments.gradients.bias.empty()) {
    call.turns = nullptr;
    store_bias_gradient(call, alone, scratch_of_thread);
  }
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
