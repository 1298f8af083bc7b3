#include <string>

#include "attention/check_parts.h"
#include "attention/check_view.h"
#include "attention/decode/decode_call.h"

namespace limelight {
namespace {

constexpr std::initializer_list<DType> kQueryTypes = {DType::f32, DType::bf16, DType::f16};
constexpr std::initializer_list<DType> kCacheTypes = {DType::f32, DType::bf16, DType::f16,
                                                      DType::i8};

AttentionShape read_shape(const DecodeArguments& arguments) {
  const auto& [query, cache, out, lse] = arguments;
  check_rank("query", query, 4, "[batch, num_heads, queries, head_dim]");
  const bool paged = !cache.block_table.empty();
  const char* key_axes = paged ? "[blocks, num_kv_heads, block_size, head_dim]"
                               : "[batch, num_kv_heads, capacity, head_dim]";
  const char* value_axes = paged ? "[blocks, num_kv_heads, block_size, value_dim]"
                                 : "[batch, num_kv_heads, capacity, value_dim]";
  check_rank("key", cache.key, 4, key_axes);
  check_rank("value", cache.value, 4, value_axes);
  AttentionShape shape;
  shape.batch = query.size(0);
  shape.num_heads = query.size(1);
  shape.q_len = query.size(2);
  shape.head_dim = query.size(3);
  shape.num_kv_heads = cache.key.size(1);
  shape.value_dim = cache.value.size(3);
  const std::int64_t pieces = paged ? cache.key.size(0) : shape.batch;
  check_shape("key", cache.key, {pieces, kAnySize, kAnySize, shape.head_dim}, key_axes);
  check_shape("value", cache.value, {pieces, shape.num_kv_heads, cache.key.size(2), kAnySize},
              value_axes);
  shape.new_len = cache.key.size(2);
  if (!paged) return shape;
  check_shape("block_table", cache.block_table, {shape.batch, kAnySize}, "[batch, most_blocks]");
  check_memory("block_table", cache.block_table, false);
  check_dtype("block_table", cache.block_table, {DType::i32, DType::i64});
  if (shape.new_len < 1) {
    throw Error("key: expected a block_size of at least 1, got shape " + cache.key.shape_string());
  }
  if (__builtin_mul_overflow(shape.new_len, cache.block_table.size(1), &shape.new_len)) {
    throw Error("block_table: expected a capacity that fits 64 bits, got " +
                cache.block_table.shape_string());
  }
  return shape;
}

void check_scales(const char* name, ConstTensorView scales, const KeyValueCache& cache) {
  if (cache.key.dtype() != DType::i8) {
    if (scales.empty()) return;
    throw Error(std::string(name) + ": expected a cache of type i8 beside it, got " +
                std::string(name_of(cache.key.dtype())));
  }
  check_shape(name, scales, {cache.key.size(0), cache.key.size(1), cache.key.size(2)},
              "the first three axes of key");
  check_memory(name, scales, false);
  check_dtype(name, scales, {DType::f32});
}

void refuse(const char* name, bool given) {
  if (given) throw Error(std::string(name) + ": has no place in decode(), got it");
}

void check_table_entries(const KeyValueCache& cache, const Visibility& visibility,
                         const AttentionShape& shape) {
  if (cache.block_table.empty()) return;
  const CacheRows rows(cache, shape);
  for (const Sequence& sequence : visibility.sequences()) {
    const std::int64_t blocks = (sequence.kv_len + rows.block_size() - 1) / rows.block_size();
    for (std::int64_t i = 0; i < blocks; ++i) {
      const std::int64_t block = rows.block(sequence.batch, i);
      if (0 <= block && block < cache.key.size(0)) continue;
      throw Error("block_table: expected 0 to less than blocks = " +
                  std::to_string(cache.key.size(0)) + ", got " + std::to_string(block) +
                  " at index [" + std::to_string(sequence.batch) + ", " + std::to_string(i) + "]");
    }
  }
}

void check_results(const DecodeArguments& arguments, const AttentionOptions& options,
                   const AttentionShape& shape) {
  const auto& [query, cache, out, lse] = arguments;
  check_shape("out", out, {shape.batch, shape.num_heads, shape.q_len, shape.value_dim},
              "[batch, num_heads, queries, value_dim]");
  check_memory("out", out, true);
  check_dtype("out", out, {query.dtype(), DType::f32, DType::f64});
  if (!lse.empty()) check_lse(lse, shape);
  std::vector<NamedView> inputs = inputs_of(options);
  inputs.insert(inputs.begin(), {{"query", query},
                                 {"key", cache.key},
                                 {"value", cache.value},
                                 {"block_table", cache.block_table},
                                 {"key_scales", cache.key_scales},
                                 {"value_scales", cache.value_scales}});
  check_apart(inputs, {{"out", out}, {"lse", lse}});
}

}  // namespace

AttentionShape check_decode(const DecodeArguments& arguments, const AttentionOptions& options) {
  const auto& [query, cache, out, lse] = arguments;
  const AttentionShape shape = read_shape(arguments);
  check_memory("query", query, true);
  check_memory("key", cache.key, true);
  check_memory("value", cache.value, true);
  check_dtype("query", query, kQueryTypes);
  check_dtype("key", cache.key, kCacheTypes);
  check_dtype("value", cache.value, {cache.key.dtype()});
  if (shape.q_len < 1 || shape.q_len > kMostDecodeQueries) {
    throw Error("query: expected 1 to " + std::to_string(kMostDecodeQueries) +
                " queries of a sequence, got " + std::to_string(shape.q_len));
  }
  check_heads(query, shape);
  check_scales("key_scales", cache.key_scales, cache);
  check_scales("value_scales", cache.value_scales, cache);
  refuse("past_key", !options.past_key.empty());
  refuse("past_value", !options.past_value.empty());
  refuse("cu_seqlens_query", !options.cu_seqlens_query.empty());
  refuse("cu_seqlens_key", !options.cu_seqlens_key.empty());
  refuse("dropout", options.dropout.has_value());
  check_options(options, shape, query.dtype());
  check_results(arguments, options, shape);
  check_table_entries(cache, Visibility(shape, options), shape);
  return shape;
}

}  // namespace limelight
