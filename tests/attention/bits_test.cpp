// The same bits whatever the number of threads, the batch around a row, the strides, the chunks
// that queries come in, and whether keys came as past or as new. Forward and backward, on the
// instruction set that LIMELIGHT_ISA names.

#include <gtest/gtest.h>
#include <omp.h>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

constexpr auto kBottom = CausalAlignment::bottom_right;

/// Options that say nothing about single batch items, at extents of several tiles.
std::vector<CaseSpec> specs() {
  std::vector<CaseSpec> all = {
      {.name = "plain"},
      {.name = "causal", .causal = kBottom},
      {.name = "gqa_causal", .num_heads = 4, .causal = kBottom},
      {.name = "window", .window = SlidingWindow{kBottom, 40, 3}},
      {.name = "window_narrow", .window = SlidingWindow{kBottom, 3, 0}},
      {.name = "alibi_softcap_sinks",
       .causal = kBottom,
       .alibi = kBottom,
       .softcap = 3,
       .sinks = true},
  };
  for (CaseSpec& spec : all) {
    spec.q_len = 131;
    spec.new_len = 301;
    spec.head_dim = 24;
    spec.value_dim = 40;
  }
  return all;
}

/// The same with so many heads that one thread or two take them one by one, and seven pack them all
/// first.
std::vector<CaseSpec> batches_of_short() {
  std::vector<CaseSpec> all = specs();
  for (CaseSpec& spec : all) {
    spec.batch = 8;
    spec.q_len = 37;
    spec.new_len = 153;
  }
  return all;
}

struct Results {
  ForwardResult forward;
  BackwardResult backward;
};

Results run(const AttentionCase& inputs, DType dtype) {
  Results result;
  result.forward = run_forward(inputs, dtype);
  result.backward = run_backward(inputs, result.forward, dtype);
  return result;
}

void expect_same(const Results& found, const Results& expected) {
  EXPECT_EQ(found.forward.out.bytes(), expected.forward.out.bytes());
  EXPECT_EQ(found.forward.lse.bytes(), expected.forward.lse.bytes());
  for (std::size_t g = 0; g < expected.backward.named().size(); ++g) {
    const auto [name, gradient] = expected.backward.named()[g];
    EXPECT_EQ(found.backward.named()[g].second->bytes(), gradient->bytes()) << name;
  }
}

class ThreadsTest : public testing::TestWithParam<CaseSpec> {
 protected:
  ~ThreadsTest() override { omp_set_num_threads(most_); }
  int most_ = omp_get_max_threads();
};

TEST_P(ThreadsTest, AnyNumberGivesTheSameBits) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const AttentionCase inputs(GetParam(), dtype);
    omp_set_num_threads(1);
    const Results expected = run(inputs, dtype);
    for (const int threads : {2, 3, 7}) {
      omp_set_num_threads(threads);
      expect_same(run(inputs, dtype), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, ThreadsTest, testing::ValuesIn(specs()), name_of_case);
INSTANTIATE_TEST_SUITE_P(BatchesOfShort, ThreadsTest, testing::ValuesIn(batches_of_short()),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(SmallOptions, ThreadsTest, testing::ValuesIn(option_specs()),
                         name_of_case);

/// Of the kernels in f32, and of those in bf16 where they are others.
class BitsTest : public testing::TestWithParam<std::tuple<CaseSpec, DType>> {
 protected:
  const CaseSpec& spec() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

TEST_P(BitsTest, ABatchItemAloneIsTheSame) {
  const AttentionCase inputs(spec(), dtype());
  const Results expected = run(inputs, dtype());
  AttentionCase alone = inputs;
  for (Tensor* tensor : {&alone.query, &alone.key, &alone.value, &alone.grad_out}) {
    *tensor = slice(*tensor, 0, 1, 1);
  }
  const Results found = run(alone, dtype());
  EXPECT_EQ(found.forward.out.bytes(), slice(expected.forward.out, 0, 1, 1).bytes());
  EXPECT_EQ(found.backward.query.bytes(), slice(expected.backward.query, 0, 1, 1).bytes());
  EXPECT_EQ(found.backward.key.bytes(), slice(expected.backward.key, 0, 1, 1).bytes());
  EXPECT_EQ(found.backward.value.bytes(), slice(expected.backward.value, 0, 1, 1).bytes());
}

TEST_P(BitsTest, KeysMayComeAsPastOrAsNew) {
  const AttentionCase inputs(spec(), dtype());
  const Results expected = run(inputs, dtype());
  for (const std::int64_t past : {1, 128, 200, 301}) {
    AttentionCase split = inputs;
    const std::int64_t rest = inputs.spec.new_len - past;
    split.spec.past_len = past;
    split.past_key = slice(inputs.key, 2, 0, past);
    split.past_value = slice(inputs.value, 2, 0, past);
    split.key = slice(inputs.key, 2, past, rest);
    split.value = slice(inputs.value, 2, past, rest);
    const Results found = run(split, dtype());
    EXPECT_EQ(found.forward.out.bytes(), expected.forward.out.bytes());
    EXPECT_EQ(found.backward.query.bytes(), expected.backward.query.bytes());
    EXPECT_EQ(found.backward.past_key.bytes(), slice(expected.backward.key, 2, 0, past).bytes());
    EXPECT_EQ(found.backward.key.bytes(), slice(expected.backward.key, 2, past, rest).bytes());
  }
}

/// As in decoding: a chunk of queries, with the keys that there were at its time.
TEST_P(BitsTest, QueriesMayComeInChunks) {
  if (!spec().causal && !(spec().window && spec().window->right == 0)) {
    GTEST_SKIP() << "needs queries that see nothing of what follows";
  }
  const AttentionCase inputs(spec(), dtype());
  const ForwardResult expected = run_forward(inputs, dtype());
  for (const auto& [first, count] :
       {std::pair<std::int64_t, std::int64_t>{0, 1}, {57, 1}, {90, 41}}) {
    AttentionCase chunk = inputs;
    const std::int64_t keys = spec().new_len - (spec().q_len - first - count);
    chunk.query = slice(inputs.query, 2, first, count);
    chunk.key = slice(inputs.key, 2, 0, keys);
    chunk.value = slice(inputs.value, 2, 0, keys);
    EXPECT_EQ(run_forward(chunk, dtype()).out.bytes(),
              slice(expected.out, 2, first, count).bytes());
  }
}

/// The same numbers as [batch, length, heads, dim].
Tensor with_length_before_heads(const Tensor& tensor) {
  const std::vector<std::int64_t>& s = tensor.sizes();
  Tensor moved(tensor.dtype(), {s[0], s[2], s[1], s[3]});
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const std::int64_t d = i % s[3];
    const std::int64_t l = i / s[3] % s[2];
    const std::int64_t h = i / s[3] / s[2] % s[1];
    const std::int64_t b = i / s[3] / s[2] / s[1];
    moved.set(((b * s[2] + l) * s[1] + h) * s[3] + d, tensor.get(i));
  }
  return moved;
}

TEST_P(BitsTest, AnyStridesGiveTheSame) {
  const AttentionCase inputs(spec(), dtype());
  const ForwardResult expected = run_forward(inputs, dtype());
  const Tensor query = with_length_before_heads(inputs.query);
  const Tensor key = with_length_before_heads(inputs.key);
  const Tensor value = with_length_before_heads(inputs.value);
  Tensor out = with_length_before_heads(expected.out);
  const Tensor expected_out = out;
  out.fill(7);
  attention(query.view().transposed(1, 2), key.view().transposed(1, 2),
            value.view().transposed(1, 2), out.view().transposed(1, 2), inputs.options());
  EXPECT_EQ(out.bytes(), expected_out.bytes());
}

INSTANTIATE_TEST_SUITE_P(Options, BitsTest,
                         testing::Combine(testing::ValuesIn(specs()),
                                          testing::Values(DType::f32, DType::bf16, DType::f16)),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" +
                                  std::string(name_of(std::get<1>(instance.param)));
                         });

}  // namespace
}  // namespace limelight::test
