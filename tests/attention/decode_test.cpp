// Decoding against the float64 reference, contiguous and paged, in every type of cache; and the
// promises that are kept to the bit. Runs once for each instruction set that the processor has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limelight/decode.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "attention/attention_case.h"
#include "attention/visibility.h"
#include "base/instruction_set.h"

namespace limelight::test {
namespace {

constexpr auto kBottom = CausalAlignment::bottom_right;

/// Keys and values of a case as a cache that owns its memory.
struct Cache {
  Tensor key, value;
  std::vector<std::int8_t> key_bytes, value_bytes;  ///< of i8, instead
  Tensor key_scales, value_scales, block_table;

  KeyValueCache view() const {
    if (key_bytes.empty()) return {key.view(), value.view(), block_table.view(), {}, {}};
    const auto bytes = [](const std::vector<std::int8_t>& of, const Tensor& like) {
      return ConstTensorView(of.data(), DType::i8, like.sizes());
    };
    return {bytes(key_bytes, key), bytes(value_bytes, value), block_table.view(), key_scales.view(),
            value_scales.view()};
  }
};

Cache contiguous(const AttentionCase& inputs) {
  Cache cache;
  cache.key = inputs.key;
  cache.value = inputs.value;
  return cache;
}

/// Row (head, j) of every sequence to row (j % block_size) of a block of its own, blocks shuffled,
/// what no key lies in NaN.
Cache paged(const Cache& from, std::int64_t block_size) {
  const std::vector<std::int64_t> sizes = from.key.sizes();
  const std::int64_t batch = sizes[0];
  const std::int64_t heads = sizes[1];
  const std::int64_t length = sizes[2];
  const std::int64_t most_blocks = (length + block_size - 1) / block_size;
  std::vector<std::int64_t> order(static_cast<std::size_t>(batch * most_blocks + 3));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(5);
  std::shuffle(order.begin(), order.end(), random);

  Cache cache;
  cache.block_table = Tensor(DType::i32, {batch, most_blocks});
  for (std::int64_t i = 0; i < batch * most_blocks; ++i) {
    cache.block_table.set(i, static_cast<double>(order[static_cast<std::size_t>(i)]));
  }
  const auto page = [&](const Tensor& tensor) {
    const std::int64_t dim = tensor.sizes()[3];
    Tensor pages(tensor.dtype(), {std::ssize(order), heads, block_size, dim});
    pages.fill(std::nan(""));
    for (std::int64_t row = 0; row < batch * heads * length; ++row) {
      const std::int64_t j = row % length;
      const std::int64_t h = row / length % heads;
      const std::int64_t b = row / length / heads;
      const auto block =
          static_cast<std::int64_t>(cache.block_table.get(b * most_blocks + j / block_size));
      for (std::int64_t d = 0; d < dim; ++d) {
        pages.set(((block * heads + h) * block_size + j % block_size) * dim + d,
                  tensor.get(row * dim + d));
      }
    }
    return pages;
  };
  cache.key = page(from.key);
  cache.value = page(from.value);
  return cache;
}

/// Rows as 127 steps of their largest magnitude; `tensor` becomes what they stand for.
void quantise(Tensor& tensor, std::vector<std::int8_t>& bytes, Tensor& scales) {
  const std::int64_t dim = tensor.sizes()[3];
  scales = Tensor(DType::f32, {tensor.sizes()[0], tensor.sizes()[1], tensor.sizes()[2]});
  bytes.resize(static_cast<std::size_t>(tensor.elements()));
  for (std::int64_t row = 0; row < scales.elements(); ++row) {
    double largest = 0;
    for (std::int64_t d = 0; d < dim; ++d) {
      largest = std::max(largest, std::abs(tensor.get(row * dim + d)));
    }
    scales.set(row, largest / 127);
    for (std::int64_t d = 0; d < dim; ++d) {
      const double step = std::round(tensor.get(row * dim + d) / scales.get(row));
      bytes[static_cast<std::size_t>(row * dim + d)] = static_cast<std::int8_t>(step);
      tensor.set(row * dim + d, step * scales.get(row));
    }
  }
}

ForwardResult run_decode(const AttentionCase& inputs, const Cache& cache, DType result) {
  ForwardResult found;
  std::vector<std::int64_t> sizes = inputs.query.sizes();
  sizes[3] = cache.value.sizes()[3];
  found.out = Tensor(result, sizes);
  sizes.pop_back();
  found.lse = Tensor(DType::f32, sizes);
  found.out.fill(7);
  decode(inputs.query.view(), cache.view(), found.out.view(), inputs.options(), found.lse.view());
  return found;
}

/// What option_specs() has that decoding offers.
std::vector<CaseSpec> small_specs() {
  std::vector<CaseSpec> specs;
  for (CaseSpec spec : option_specs()) {
    if (spec.past_len > 0 || !spec.cu_seqlens_key.empty()) continue;
    spec.dropout.reset();
    specs.push_back(spec);
  }
  specs.push_back({.name = "group_of_7", .num_heads = 14, .q_len = 2, .causal = kBottom});
  specs.push_back({.name = "sixteen_queries", .q_len = 16, .new_len = 20, .causal = kBottom});
  for (const std::int64_t dim : {8, 64, 80, 127, 128}) {
    specs.push_back({.name = "dim_" + std::to_string(dim), .head_dim = dim, .value_dim = dim + 3});
  }
  return specs;
}

/// The same with keys that fill several chunks.
std::vector<CaseSpec> specs() {
  std::vector<CaseSpec> all = small_specs();
  for (CaseSpec spec : small_specs()) {
    const std::int64_t length = spec.new_len;
    const auto scaled = [](std::int64_t extent) { return extent * 190; };
    spec.name = "long_" + spec.name;
    spec.new_len = scaled(length) + 3;
    for (auto* sizes : {&spec.mask_sizes, &spec.bias_sizes}) {
      if (!sizes->empty() && sizes->back() == length) sizes->back() = spec.new_len;
    }
    for (std::int64_t& of_item : spec.key_lengths) of_item = scaled(of_item);
    if (spec.window) {
      spec.window->left = spec.window->left > 0 ? scaled(spec.window->left) : spec.window->left;
      spec.window->right = spec.window->right > 0 ? scaled(spec.window->right) : spec.window->right;
    }
    all.push_back(spec);
  }
  return all;
}

class DecodeTest : public testing::TestWithParam<CaseSpec> {};

/// What every sum of products is held to: in f32, and in pairs of bf16 where there are any.
constexpr DType kTypes[] = {DType::f32, DType::bf16};

double rounding_of(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0;
}

void expect_near(const ForwardResult& found, const ForwardResult& expected, DType dtype) {
  const bool in_pairs = dtype == DType::bf16 && uses_bf16_dots();
  const double weights = in_pairs ? 0x1p-8 : 0;  // are rounded to bf16 too
  EXPECT_LE(largest_difference(found.out, expected.out),
            (4e-6 + rounding_of(dtype) + weights) * (largest_magnitude(expected.out) + 0.1));
  EXPECT_LE(largest_difference(found.lse, expected.lse), 4e-6);
}

/// The capacity of a paged cache is a multiple of its block size: lengths say where keys end.
AttentionCase with_lengths(AttentionCase inputs) {
  if (!inputs.key_lengths.empty()) return inputs;
  inputs.key_lengths = Tensor(DType::i64, {inputs.spec.batch});
  inputs.key_lengths.fill(static_cast<double>(inputs.spec.new_len));
  return inputs;
}

bool sized_by_capacity(const CaseSpec& spec) {
  return spec.documents || !spec.mask_sizes.empty() || !spec.bias_sizes.empty();
}

TEST_P(DecodeTest, AgreesWithTheReference) {
  const CaseSpec& spec = GetParam();
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const AttentionCase inputs(GetParam(), dtype);
    const ForwardResult expected = run_forward(inputs, DType::f64);
    const ForwardResult found = run_decode(inputs, contiguous(inputs), dtype);
    expect_near(found, expected, dtype);
    for (const std::int64_t block_size : {7, 16, 43, 48, 256}) {
      const bool whole = spec.new_len % block_size == 0;
      if (!whole && sized_by_capacity(spec)) continue;
      const ForwardResult of_pages =
          run_decode(with_lengths(inputs), paged(contiguous(inputs), block_size), dtype);
      EXPECT_EQ(of_pages.out.bytes(), found.out.bytes()) << "blocks of " << block_size;
      EXPECT_EQ(of_pages.lse.bytes(), found.lse.bytes()) << "blocks of " << block_size;
    }
  }
}

TEST_P(DecodeTest, BytesWithScalesAgreeWithTheReference) {
  AttentionCase inputs(GetParam(), DType::f32);
  Cache cache;
  quantise(inputs.key, cache.key_bytes, cache.key_scales);
  quantise(inputs.value, cache.value_bytes, cache.value_scales);
  cache.key = inputs.key;
  cache.value = inputs.value;
  expect_near(run_decode(inputs, cache, DType::f32), run_forward(inputs, DType::f64), DType::f32);
}

void expect_hidden_to_reach_nothing(const AttentionCase& inputs, DType dtype) {
  const CaseSpec& spec = inputs.spec;
  const AttentionShape shape = {spec.batch, spec.num_heads, spec.num_kv_heads, spec.q_len,
                                0,          spec.new_len,   spec.head_dim,     spec.value_dim};
  const AttentionOptions options = inputs.options();
  const Visibility visibility(shape, options);
  std::vector<bool> looked(static_cast<std::size_t>(spec.batch * spec.num_kv_heads * spec.new_len));
  for (const Sequence& s : visibility.sequences()) {
    for (std::int64_t h = 0; h < spec.num_heads; ++h) {
      for (std::int64_t i = 0; i < spec.q_len; ++i) {
        for (std::int64_t j = 0; j < s.kv_len; ++j) {
          if (!visibility.visible(s, h, i, j)) continue;
          looked[static_cast<std::size_t>(
              (s.batch * spec.num_kv_heads + h / shape.group()) * spec.new_len + j)] = true;
        }
      }
    }
  }
  Cache poisoned = contiguous(inputs);
  for (std::size_t row = 0; row < looked.size(); ++row) {
    if (looked[row]) continue;
    for (Tensor* tensor : {&poisoned.key, &poisoned.value}) {
      const std::int64_t dim = tensor->sizes()[3];
      for (std::int64_t d = 0; d < dim; ++d) {
        tensor->set(std::int64_t(row) * dim + d,
                    d % 2 ? std::nan("") : std::numeric_limits<double>::infinity());
      }
    }
  }
  const ForwardResult expected = run_decode(inputs, contiguous(inputs), dtype);
  const ForwardResult found = run_decode(inputs, poisoned, dtype);
  EXPECT_EQ(found.out.bytes(), expected.out.bytes());
  EXPECT_EQ(found.lse.bytes(), expected.lse.bytes());
}

TEST_P(DecodeTest, WhatIsHiddenReachesNothing) {
  for (const DType dtype : kTypes) {
    expect_hidden_to_reach_nothing(AttentionCase(GetParam(), dtype), dtype);
  }
}

/// Key 2 of the first head, hidden from some rows by options that look keys up.
void expect_nan_where_it_is_seen(const AttentionCase& inputs, DType dtype) {
  const CaseSpec& spec = inputs.spec;
  const AttentionShape shape = {spec.batch, spec.num_heads, spec.num_kv_heads, spec.q_len,
                                0,          spec.new_len,   spec.head_dim,     spec.value_dim};
  const AttentionOptions options = inputs.options();
  const Visibility visibility(shape, options);
  Cache poisoned = contiguous(inputs);
  for (std::int64_t d = 0; d < spec.value_dim; ++d) {
    poisoned.value.set(2 * spec.value_dim + d, std::nan(""));
  }
  const ForwardResult expected = run_decode(inputs, contiguous(inputs), dtype);
  const ForwardResult found = run_decode(inputs, poisoned, dtype);
  const Sequence& s = visibility.sequences().front();
  for (std::int64_t at = 0; at < found.out.elements(); ++at) {
    const std::int64_t row = at / spec.value_dim;
    const std::int64_t head = row / spec.q_len;
    const bool sees = head < shape.group() && visibility.visible(s, head, row % spec.q_len, 2);
    if (sees) {
      EXPECT_TRUE(std::isnan(found.out.get(at))) << "row " << row;
    } else {
      EXPECT_EQ(found.out.get(at), expected.out.get(at)) << "row " << row;
    }
  }
}

TEST_P(DecodeTest, NanShowsWhereItIsSeenAndNowhereElse) {
  if (GetParam().new_len < 3) GTEST_SKIP() << "needs three keys";
  for (const DType dtype : kTypes) {
    expect_nan_where_it_is_seen(AttentionCase(GetParam(), dtype), dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Options, DecodeTest, testing::ValuesIn(specs()), name_of_case);

CaseSpec ragged_batch() {
  return {.name = "ragged_batch",
          .batch = 3,
          .num_heads = 6,
          .q_len = 5,
          .new_len = 1700,
          .head_dim = 24,
          .value_dim = 40,
          .causal = kBottom,
          .key_lengths = {1700, 600, 1203},
          .sinks = true};
}

TEST(DecodeBits, AnyNumberOfThreadsGivesTheSame) {
  const int most = omp_get_max_threads();
  const AttentionCase inputs(ragged_batch(), DType::bf16);
  for (const DType result : kTypes) {
    omp_set_num_threads(1);
    const ForwardResult expected = run_decode(inputs, contiguous(inputs), result);
    for (const int threads : {2, 3, 7}) {
      omp_set_num_threads(threads);
      EXPECT_EQ(run_decode(inputs, contiguous(inputs), result).out.bytes(), expected.out.bytes());
    }
  }
  omp_set_num_threads(most);
}

void expect_the_same_alone(DType dtype) {
  const AttentionCase inputs(ragged_batch(), dtype);
  const ForwardResult expected = run_decode(inputs, contiguous(inputs), dtype);
  const std::vector<std::int64_t> lengths = inputs.spec.key_lengths;
  for (std::int64_t b = 0; b < 3; ++b) {
    for (std::int64_t i = 0; i < 5; ++i) {
      AttentionCase alone = inputs;
      alone.query = slice(slice(inputs.query, 0, b, 1), 2, i, 1);
      alone.key = slice(inputs.key, 0, b, 1);
      alone.value = slice(inputs.value, 0, b, 1);
      // The query stood beside the key that is last when those after it are not there.
      alone.key_lengths = Tensor(DType::i64, {1});
      alone.key_lengths.set(0, static_cast<double>(lengths[static_cast<std::size_t>(b)] - 4 + i));
      EXPECT_EQ(run_decode(alone, contiguous(alone), dtype).out.bytes(),
                slice(slice(expected.out, 0, b, 1), 2, i, 1).bytes());
    }
  }
}

TEST(DecodeBits, ASequenceAloneAndAQueryAloneGiveTheSame) {
  for (const DType dtype : kTypes) expect_the_same_alone(dtype);
}

/// Two sequences with the same first 1203 keys, in blocks that they share and in blocks of their
/// own.
void expect_sharing_to_change_no_bit(DType dtype) {
  CaseSpec spec = ragged_batch();
  spec.batch = 2;
  spec.key_lengths = {1700, 1500};
  AttentionCase inputs(spec, dtype);
  const std::int64_t shared = 1200;
  for (Tensor* tensor : {&inputs.key, &inputs.value}) {
    const std::int64_t dim = tensor->sizes()[3];
    for (std::int64_t h = 0; h < 2; ++h) {
      for (std::int64_t e = 0; e < shared * dim; ++e) {
        tensor->set((2 + h) * 1700 * dim + e, tensor->get(h * 1700 * dim + e));
      }
    }
  }
  Cache cache = paged(contiguous(inputs), 16);
  const ForwardResult expected = run_decode(inputs, cache, dtype);
  EXPECT_EQ(expected.out.bytes(), run_decode(inputs, contiguous(inputs), dtype).out.bytes());
  const std::int64_t most_blocks = cache.block_table.sizes()[1];
  for (std::int64_t i = 0; i < shared / 16; ++i) {
    cache.block_table.set(most_blocks + i, cache.block_table.get(i));
  }
  EXPECT_EQ(run_decode(inputs, cache, dtype).out.bytes(), expected.out.bytes());
}

TEST(DecodeBits, SharingAPrefixChangesNoBit) {
  for (const DType dtype : kTypes) expect_sharing_to_change_no_bit(dtype);
}

TEST(DecodeBits, AnyStridesGiveTheSame) {
  const AttentionCase inputs(ragged_batch(), DType::f32);
  const ForwardResult expected = run_decode(inputs, contiguous(inputs), DType::f32);
  // Every row of the cache with 3 elements of something else behind it.
  const auto spread = [](const Tensor& tensor) {
    const std::int64_t dim = tensor.sizes()[3];
    Tensor wide(tensor.dtype(), {tensor.sizes()[0], tensor.sizes()[1], tensor.sizes()[2], dim + 3});
    wide.fill(std::nan(""));
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      wide.set(i / dim * (dim + 3) + i % dim, tensor.get(i));
    }
    return wide;
  };
  const Tensor key = spread(inputs.key);
  const Tensor value = spread(inputs.value);
  const auto narrowed = [](const Tensor& wide) {
    std::vector<std::int64_t> sizes = wide.sizes();
    sizes[3] -= 3;
    return ConstTensorView(wide.view().raw(), wide.dtype(), sizes, wide.view().strides());
  };
  Tensor out(DType::f32, expected.out.sizes());
  decode(inputs.query.view(), {narrowed(key), narrowed(value), {}, {}, {}}, out.view(),
         inputs.options());
  EXPECT_EQ(out.bytes(), expected.out.bytes());
}

TEST(DecodeErrors, NameTheArgument) {
  const AttentionCase inputs({.name = "small", .q_len = 2}, DType::f32);
  const Cache good = contiguous(inputs);
  const auto message_of = [&](ConstTensorView query, const KeyValueCache& cache,
                              const AttentionOptions& options) -> std::string {
    Tensor out(DType::f32, {2, 2, query.size(2), 4});
    try {
      decode(query, cache, out.view(), options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const ConstTensorView query = inputs.query.view();
  EXPECT_EQ(message_of(query, good.view(), {}), "");
  const std::vector<float> numbers(2 * 2 * 17 * 4);
  EXPECT_EQ(message_of(ConstTensorView::of(numbers.data(), {2, 2, 17, 4}), good.view(), {}),
            "query: expected 1 to 16 queries of a sequence, got 17");
  EXPECT_EQ(message_of(ConstTensorView::of(numbers.data(), {2, 2, 2, 3}), good.view(), {}),
            "key: expected [batch, num_kv_heads, capacity, head_dim] = [2, *, *, 3], got [2, 2, 7, "
            "4]");
  KeyValueCache scaled = good.view();
  scaled.key_scales = ConstTensorView::of(numbers.data(), {2, 2, 7});
  EXPECT_EQ(message_of(query, scaled, {}),
            "key_scales: expected a cache of type i8 beside it, got f32");
  KeyValueCache bytes = good.view();
  bytes.key = ConstTensorView(bytes.key.raw(), DType::i8, bytes.key.sizes());
  bytes.value = ConstTensorView(bytes.value.raw(), DType::i8, bytes.value.sizes());
  EXPECT_THAT(message_of(query, bytes, {}), testing::StartsWith("key_scales: expected 3 axes"));
  Cache pages = paged(good, 16);
  pages.block_table.set(1, 99);
  EXPECT_EQ(message_of(query, pages.view(), {}),
            "block_table: expected 0 to less than blocks = 5, got 99 at index [1, 0]");
  AttentionOptions options;
  options.dropout = Dropout{0.1};
  EXPECT_EQ(message_of(query, good.view(), options), "dropout: has no place in decode(), got it");
  options = {};
  options.past_key = query;
  EXPECT_EQ(message_of(query, good.view(), options), "past_key: has no place in decode(), got it");
  options = {};
  const std::int64_t lengths[] = {3, 8};
  options.key_lengths = ConstTensorView::of(lengths, {2});
  EXPECT_EQ(message_of(query, good.view(), options),
            "key_lengths: expected 0 to kv_len = 7, got 8 at index 1");
}

}  // namespace
}  // namespace limelight::test
