// A few queries against a cache, split over keys: every piece of kDecodeChunk keys gives each row a
// softmax state and a context, and those of a row are merged in the order of the keys.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "attention/decode/decode_call.h"
#include "attention/for_each_task.h"
#include "attention/kernels/simd/decode_readings.h"
#include "attention/kernels/simd/decode_rows.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "attention/softmax_state.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/decode.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/paired_rows.inl.h"
#include "attention/kernels/simd/rows.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_DECODE_TYPES
#define LIMELIGHT_SIMD_DECODE_TYPES
namespace limelight::simd {

/// What every piece shares.
struct DecodeKernelCall {
  const KernelCall& kernel;
  const DecodeArguments& arguments;
  CacheRows cache_rows;
  const DecodeRows& rows;
  bool in_pairs;  ///< products are of pairs of bf16 (paired_rows.inl.h)
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

/// The rows of the cache that a tile is of. Pointers behind the last key repeat it, so that whole
/// groups may be read.
template <class T>
struct CacheTile {
  KeyRange keys;
  const T* key[kDecodeTile];
  const T* value[kDecodeTile];
  float key_scale[kDecodeTile];  ///< i8 only
  float value_scale[kDecodeTile];

  std::int64_t count() const { return keys.end - keys.begin; }
};

template <class T>
constexpr bool kScaled = std::is_same_v<T, std::int8_t>;

template <class T>
void find_tile(const DecodeKernelCall& call, const Sequence& sequence, std::int64_t kv_head,
               KeyRange keys, CacheTile<T>& tile) {
  const KeyValueCache& cache = call.arguments.cache;
  tile.keys = keys;
  const std::int64_t count = tile.count();
  for (std::int64_t j = 0; j < count;) {
    const CacheRows::Place place = call.cache_rows.place(sequence.batch, keys.begin + j);
    const std::int64_t in_block = std::min(count - j, call.cache_rows.block_size() - place.row);
    const auto find = [&]<class Of>(const ConstTensorView& view, const auto& put) {
      const Of* row = static_cast<const Of*>(view.raw()) + CacheRows::offset(view, kv_head, place);
      for (std::int64_t i = j; i < j + in_block; ++i, row += view.stride(2)) put(i, row);
    };
    find.template operator()<T>(cache.key, [&](auto i, const T* row) { tile.key[i] = row; });
    find.template operator()<T>(cache.value, [&](auto i, const T* row) { tile.value[i] = row; });
    if constexpr (kScaled<T>) {
      find.template operator()<float>(cache.key_scales,
                                      [&](auto i, auto row) { tile.key_scale[i] = *row; });
      find.template operator()<float>(cache.value_scales,
                                      [&](auto i, auto row) { tile.value_scale[i] = *row; });
    }
    j += in_block;
  }
  std::fill(tile.key + count, tile.key + kDecodeTile, tile.key[count - 1]);
  std::fill(tile.value + count, tile.value + kDecodeTile, tile.value[count - 1]);
  if constexpr (kScaled<T>) {
    std::fill(tile.key_scale + count, tile.key_scale + kDecodeTile, 0.0f);
    std::fill(tile.value_scale + count, tile.value_scale + kDecodeTile, 0.0f);
  }
}

/// kRows query heads of one key head, for the query at one place, on their way over a tile.
struct HeadBlock {
  const Sequence& sequence;
  std::int64_t query;      ///< of the sequence
  std::int64_t head;       ///< the first of them
  std::int64_t first_row;  ///< see DecodeRows
  std::int64_t chunk;
  KeyRange seen;       ///< columns of the tile in the query's range: the same for all heads
  bool first_of_tile;  ///< no other has read the tile before
};

/// A row's scores become weights; where its shift moves, what was summed before is rescaled.
/// `additions` is null where nothing is added.
template <class T>
void weigh_row(const KernelCall& kernel, const HeadBlock& block, const CacheTile<T>& tile,
               const float* additions, const PartialRow& partial, float* row) {
  if constexpr (kScaled<T>) multiply_row(kDecodeTile, tile.key_scale, row);
  if constexpr (kPaired<T>) scale_row(kDecodeTile, kernel.softmax_scale, row);
  finish_scores({block.seen.begin, block.seen.end, additions, kernel.softcap}, 0, kDecodeTile, row,
                nullptr);
  const float rescale = move_shift(row_maximum(kDecodeTile, row), *partial.state);
  if (rescale != 1) scale_row(kernel.value_width, rescale, partial.context);
  weigh_scores(kDecodeTile, *partial.state, row);
  if constexpr (kScaled<T>) multiply_row(kDecodeTile, tile.value_scale, row);
}

/// context += weights * values for a row from which keys of its range are hidden: they are left
/// out, since 0 times a NaN would not be 0.
template <class T>
void add_looked_up_values(const KernelCall& kernel, const HeadBlock& block,
                          const CacheTile<T>& tile, const float* additions, float* weights,
                          float* context) {
  const T* values[kDecodeTile];
  std::int64_t count = 0;
  for (std::int64_t j = block.seen.begin; j < block.seen.end; ++j) {
    if (additions[j] == kMinusInfinity) continue;
    values[count] = tile.value[j];
    weights[count++] = weights[j];
  }
  ContextSum<1, T>{kernel.shape.value_dim, count, weights, kDecodeTile, values, {context}}.add(
      ReadAhead<T>(values, 0, 0));
}

template <int kRows, class T>
void attend_to_tile(const DecodeKernelCall& call, const HeadBlock& block, const CacheTile<T>& tile,
                    const CacheTile<T>& next) {
  const KernelCall& kernel = call.kernel;
  const KeyRange& seen = block.seen;
  alignas(64) float scores[kRows * kDecodeTile] = {};
  alignas(64) float additions[kRows * kDecodeTile];
  if (kernel.has_additions) {
    bool any = false;
    for (std::int64_t r = 0; r < kRows; ++r) {
      float* row = additions + r * kDecodeTile;
      any |= kernel.visibility.fill_additions(block.sequence, block.head + r, block.query,
                                              tile.keys, row);
      std::fill(row + (tile.keys.end - tile.keys.begin), row + kDecodeTile, 0.0f);
    }
    if (!any) return;
  }

  // scores = query key^T
  // The first block to read a tile asks for the next.
  const std::int64_t asked = block.first_of_tile ? next.count() : 0;
  ReadAhead<T> values_ahead(next.value, asked, kernel.shape.value_dim);
  ReadAhead<T> keys_ahead(next.key, asked, kernel.shape.head_dim);
  DotGroups<kRows, T>(kernel.shape.head_dim, call.rows.query(block.sequence, block.first_row),
                      kernel.head_width)
      .multiply(seen, tile.key, values_ahead, scores, kDecodeTile);

  // weights = exp(scores - maximum)
  ContextSum<kRows, T> sum = {kernel.shape.value_dim,  seen.end - seen.begin,
                              scores + seen.begin,     kDecodeTile,
                              tile.value + seen.begin, {}};
  for (std::int64_t r = 0; r < kRows; ++r) {
    const PartialRow partial = call.rows.partial(block.sequence, block.first_row + r, block.chunk);
    float* row = scores + r * kDecodeTile;
    const float* of_row = kernel.has_additions ? additions + r * kDecodeTile : nullptr;
    weigh_row(kernel, block, tile, of_row, partial, row);
    sum.context[r] = partial.context;
    if (kernel.visibility.looks_up_keys()) {
      add_looked_up_values(kernel, block, tile, of_row, row, partial.context);
    }
  }

  // context += weights value
  if (!kernel.visibility.looks_up_keys()) sum.add(keys_ahead);
}

/// All query rows of a key head of one sequence over one tile.
template <class T>
void attend_sequence(const DecodeKernelCall& call, const Sequence& sequence, const Reading& reading,
                     const CacheTile<T>& tile, const CacheTile<T>& next, bool first_of_tile) {
  const AttentionShape& shape = call.kernel.shape;
  const std::int64_t first_head = reading.kv_head * shape.group();
  for (std::int64_t i = 0; i < shape.q_len; ++i) {
    const KeyRange seen = columns_seen(call.kernel, sequence, i, tile.keys);
    if (seen.empty()) continue;
    for (std::int64_t g = 0; g < shape.group();) {
      const HeadBlock block = {sequence,
                               i,
                               first_head + g,
                               call.rows.row_of(first_head + g, i),
                               reading.chunk,
                               seen,
                               std::exchange(first_of_tile, false)};
      const std::int64_t left = shape.group() - g;
      if (left >= 4) {
        attend_to_tile<4>(call, block, tile, next);
        g += 4;
      } else if (left >= 2) {
        attend_to_tile<2>(call, block, tile, next);
        g += 2;
      } else {
        attend_to_tile<1>(call, block, tile, next);
        g += 1;
      }
    }
  }
}

/// Rows that a reading adds to have seen nothing yet.
void begin_partials(const DecodeKernelCall& call, const Reading& reading) {
  const KernelCall& kernel = call.kernel;
  const std::int64_t rows = kernel.shape.group() * kernel.shape.q_len;
  for (const Sequence* sequence : reading.sequences) {
    for (std::int64_t row = reading.kv_head * rows; row < (reading.kv_head + 1) * rows; ++row) {
      const PartialRow partial = call.rows.partial(*sequence, row, reading.chunk);
      *partial.state = {};
      std::fill_n(partial.context, kernel.value_width, 0.0f);
    }
  }
}

/// Memory is kept busy: while a tile's scores are computed the values of the next are asked for, be
/// it another reading's, and its keys while values are summed.
template <class T>
void read_cache_of(const DecodeKernelCall& call, std::span<const Reading> readings) {
  CacheTile<T> memory[2];
  TilesOfReadings tiles(readings);
  const auto find = [&](CacheTile<T>& tile) {
    tile.keys = {};
    if (tiles.done()) return;
    const Reading& reading = tiles.reading();
    find_tile(call, *reading.sequences.front(), reading.kv_head, tiles.keys(), tile);
  };
  find(memory[0]);
  for (int here = 0; !tiles.done(); here = 1 - here) {
    const Reading& reading = tiles.reading();
    if (tiles.begins_reading()) begin_partials(call, reading);
    tiles.advance();
    find(memory[1 - here]);
    for (const Sequence* sequence : reading.sequences) {
      attend_sequence(call, *sequence, reading, memory[here], memory[1 - here],
                      sequence == reading.sequences.front());
    }
  }
}

/// body(element) with a number of the cache's type.
template <class Body>
void with_element_of_cache(const DecodeKernelCall& call, const Body& body) {
  // NOLINTBEGIN(bugprone-branch-clone): they differ in the type alone
  switch (call.arguments.cache.key.dtype()) {
    case DType::bf16:
      if constexpr (kHasPairs) {
        if (call.in_pairs) return body(PairedBfloat16());
      }
      return body(bfloat16());
    case DType::f16:
      return body(float16());
    case DType::i8:
      return body(std::int8_t());
    default:
      return body(float());
  }
  // NOLINTEND(bugprone-branch-clone)
}

void read_cache(const DecodeKernelCall& call, std::span<const Reading> readings) {
  with_element_of_cache(call,
                        [&](auto element) { read_cache_of<decltype(element)>(call, readings); });
}

/// A query of bf16 as it is, with zeros up to whole vectors.
void copy_query(const ConstTensorView& query, std::int64_t place, std::int64_t dim,
                std::int64_t width, float* row) {
  auto* numbers = reinterpret_cast<bfloat16*>(row);
  std::copy_n(query.data<bfloat16>() + place, dim, numbers);
  std::fill(numbers + dim, numbers + 2 * width, bfloat16());
}

/// A query, times softmax_scale and in the order in which the cache is read.
void load_query(const DecodeKernelCall& call, const Sequence& sequence, std::int64_t head,
                std::int64_t i) {
  const ConstTensorView& query = call.arguments.query;
  const std::int64_t dim = call.kernel.shape.head_dim;
  float* row = call.rows.query(sequence, call.rows.row_of(head, i));
  const std::int64_t place = row_offset(query, sequence.batch, head, i);
  if (call.in_pairs) return copy_query(query, place, dim, call.kernel.head_width, row);
  load_row(query.raw(), query.dtype(), place, dim, call.kernel.softmax_scale,
           call.kernel.head_width, row);
  with_element_of_cache(call, [&](auto element) { order_by_pairs<decltype(element)>(dim, row); });
}

/// out and lse of one row from what its chunks [begin, end) found, merged into the first.
void merge_row(const DecodeKernelCall& call, const Sequence& sequence, std::int64_t head,
               std::int64_t i, KeyRange chunks, float sink) {
  const D d;
  const KernelCall& kernel = call.kernel;
  SoftmaxState<float> state;
  float* context = nullptr;
  for (std::int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk) {
    const PartialRow part = call.rows.partial(sequence, call.rows.row_of(head, i), chunk);
    if (part.state->empty()) continue;
    const SoftmaxState<float> before = state;
    state.merge(*part.state);
    if (context == nullptr) {
      context = part.context;
      continue;
    }
    const V old_factor = hn::Set(d, before.rescale_to(state.maximum));
    const V new_factor = hn::Set(d, part.state->rescale_to(state.maximum));
    for_each_vector(kernel.value_width, [&](std::int64_t v) HWY_ATTR {
      const V sum = hn::Mul(hn::LoadU(d, context + v), old_factor);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, part.context + v), new_factor, sum), d, context + v);
    });
  }
  float factor = 0;
  if (!state.empty()) {
    const float before = state.maximum;
    if (sink != kMinusInfinity) state.merge({sink, 1});
    factor = std::exp(before - state.maximum) / state.sum;
  }
  const TensorView& out = call.arguments.out;
  const std::int64_t place = row_offset(out, sequence.batch, head, i);
  const std::int64_t dim = kernel.shape.value_dim;
  if (context != nullptr) {
    with_element_of_cache(call,
                          [&](auto element) { order_by_number<decltype(element)>(dim, context); });
    store_row(context, factor, dim, out.raw(), out.dtype(), place);
  } else {
    for (std::int64_t v = 0; v < dim; ++v) write_number(out.raw(), out.dtype(), place + v, 0);
  }
  if (const TensorView& lse = call.arguments.lse; !lse.empty()) {
    write_number(lse.raw(), lse.dtype(), row_offset(lse, sequence.batch, head, i), state.lse());
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(read_cache);
HWY_EXPORT(load_query);
HWY_EXPORT(merge_row);

/// Where all is bf16: an out of more digits would show how weights are rounded.
bool in_pairs(const DecodeArguments& arguments) {
  const auto is_bf16 = [](const auto& view) { return view.dtype() == DType::bf16; };
  return uses_bf16_dots() && is_bf16(arguments.query) && is_bf16(arguments.cache.key) &&
         is_bf16(arguments.out);
}

}  // namespace

void decode(const DecodeCall& call) {
  const AttentionShape& shape = call.shape;
  const std::vector<Sequence>& sequences = call.visibility.sequences();
  const KernelCall kernel(shape, call.options, call.visibility);
  DecodeRows rows(kernel, sequences);
  Scratch scratch(rows.floats());
  rows.take(scratch);
  const CacheRows cache(call.arguments.cache, shape);
  const DecodeKernelCall kernel_call = {kernel, call.arguments, cache, rows,
                                        in_pairs(call.arguments)};

  /// body(sequence, head, i) for every row.
  const auto for_each_row = [&](double work, const auto& body) {
    for_each_task(rows.rows(), work, [&](std::int64_t row) {
      const std::int64_t in_sequence = row % rows.rows_of_sequence();
      body(sequences[static_cast<std::size_t>(row / rows.rows_of_sequence())],
           in_sequence / shape.q_len, in_sequence % shape.q_len);
    });
  };
  const auto load = LIMELIGHT_DISPATCH(load_query);
  for_each_row(static_cast<double>(rows.rows() * shape.head_dim),
               [&](const Sequence& sequence, std::int64_t head, std::int64_t i) {
                 load(kernel_call, sequence, head, i);
               });

  const std::vector<Reading> readings = list_readings(call, cache);
  const auto read = LIMELIGHT_DISPATCH(read_cache);
  const std::int64_t count = std::ssize(readings);
  const std::int64_t of_task =
      std::clamp(count / (8 * std::int64_t{most_threads()}), std::int64_t{1}, kReadingsOfTask);
  for_each_task(ceil_div(count, of_task), shape.multiply_adds(), [&](std::int64_t task) {
    const std::int64_t first = task * of_task;
    const auto readings_of_task = static_cast<std::size_t>(std::min(of_task, count - first));
    read(kernel_call,
         std::span(readings).subspan(static_cast<std::size_t>(first), readings_of_task));
  });

  const auto merge = LIMELIGHT_DISPATCH(merge_row);
  for_each_row(static_cast<double>(rows.floats()),
               [&](const Sequence& sequence, std::int64_t head, std::int64_t i) {
                 merge(kernel_call, sequence, head, i, chunks_of(call.visibility, sequence),
                       static_cast<float>(sink_of(call.options, head)));
               });
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
