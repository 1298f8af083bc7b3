// Every misuse is refused by a message that names the argument, what was expected and what came.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "attention/attention_case.h"

namespace limelight::test {
namespace {

/// The views of one good call, for a test to spoil.
struct Call {
  explicit Call(const CaseSpec& spec = {})
      : inputs(spec, DType::f32), forward(run_forward(inputs, DType::f32)) {
    query = inputs.query.view();
    key = inputs.key.view();
    value = inputs.value.view();
    out = forward.out.view();
    lse = forward.lse.view();
    options = inputs.options();
  }

  std::string message_of_forward() {
    try {
      attention(query, key, value, out, options, lse);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string message_of_backward(const AttentionGradients& gradients) {
    try {
      attention_backward(query, key, value, out, lse, inputs.grad_out.view(), gradients, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  AttentionCase inputs;
  ForwardResult forward;
  ConstTensorView query, key, value;
  TensorView out, lse;
  AttentionOptions options;
};

ConstTensorView with(ConstTensorView view, std::vector<std::int64_t> sizes,
                     std::vector<std::int64_t> strides) {
  return {view.raw(), view.dtype(), sizes, strides};
}
ConstTensorView with(ConstTensorView view, std::vector<std::int64_t> sizes) {
  return {view.raw(), view.dtype(), sizes};
}

TEST(CheckArguments, AGoodCallIsAccepted) { EXPECT_EQ(Call().message_of_forward(), ""); }

TEST(CheckArguments, ShapesThatDoNotFit) {
  Call call;
  call.key = with(call.key, {2, 2, 7, 3});
  EXPECT_EQ(
      call.message_of_forward(),
      "key: expected [batch, num_kv_heads, new_len, head_dim] = [2, *, *, 4], got [2, 2, 7, 3]");
  call = Call();
  call.value = with(call.value, {2, 2, 6, 4});
  EXPECT_EQ(
      call.message_of_forward(),
      "value: expected [batch, num_kv_heads, new_len, value_dim] = [2, 2, 7, *], got [2, 2, 6, "
      "4]");
  call = Call();
  call.query = with(call.query, {2, 10, 4});
  EXPECT_EQ(call.message_of_forward(),
            "query: expected 4 axes [batch, num_heads, q_len, head_dim], got shape [2, 10, 4]");
  call = Call({.num_heads = 3, .num_kv_heads = 3});
  call.key = with(call.key, {2, 2, 7, 4});
  call.value = with(call.value, {2, 2, 7, 4});
  EXPECT_EQ(call.message_of_forward(),
            "query: expected num_heads to be a multiple of key's num_kv_heads 2, got 3");
  call = Call();
  call.lse = TensorView(call.lse.raw(), DType::f32, std::vector<std::int64_t>{2, 2, 4});
  EXPECT_EQ(call.message_of_forward(),
            "lse: expected [batch, num_heads, q_len] = [2, 2, 5], got [2, 2, 4]");
}

TEST(CheckArguments, TypesThatAreNotOffered) {
  Call call;
  call.key = ConstTensorView(call.key.raw(), DType::bf16, call.key.sizes());
  EXPECT_EQ(call.message_of_forward(), "key: expected elements of type f32, got bf16");
  call = Call();
  call.out = TensorView(call.out.raw(), DType::f16, call.out.sizes());
  EXPECT_EQ(call.message_of_forward(), "out: expected elements of type f32 or f64, got f16");
  call = Call();
  call.query = ConstTensorView(call.query.raw(), DType::i32, call.query.sizes());
  EXPECT_EQ(call.message_of_forward(),
            "query: expected elements of type f64, f32, bf16 or f16, got i32");
}

TEST(CheckArguments, MemoryThatCannotBe) {
  Call call;
  call.query = ConstTensorView(nullptr, DType::f32, call.query.sizes());
  EXPECT_EQ(call.message_of_forward(),
            "query: expected data for shape [2, 2, 5, 4], got a null pointer");
  call = Call();
  call.query = with(call.query, {2, 2, 5, 4}, {40, 20, 4, 2});
  EXPECT_THAT(call.message_of_forward(), testing::HasSubstr("query: expected a last stride of 1"));
  call = Call();
  call.query = with(call.query, {2, 2, 5, 4}, {40, -20, 4, 1});
  EXPECT_THAT(call.message_of_forward(),
              testing::HasSubstr("query: expected strides of 0 or more"));
  call = Call();
  call.query =
      with(call.query, {2, 2, 5, 4}, {std::numeric_limits<std::int64_t>::max() / 2, 20, 4, 1});
  EXPECT_THAT(call.message_of_forward(),
              testing::HasSubstr("query: sizes and strides reach beyond what memory can hold"));
  call = Call();
  call.key = with(call.key, {2, 2, std::int64_t{1} << 61, 4}, {0, 0, 0, 1});
  call.value = call.key;
  EXPECT_THAT(call.message_of_forward(),
              testing::HasSubstr("key: sizes and strides reach beyond what memory can hold"));
  call = Call();
  call.query = with(call.query, {2, 2, -5, 4});
  EXPECT_THAT(call.message_of_forward(), testing::HasSubstr("query: expected sizes of 0 or more"));
  call = Call();
  call.query = ConstTensorView(static_cast<const char*>(call.query.raw()) + 1, DType::f32,
                               call.query.sizes());
  EXPECT_THAT(call.message_of_forward(), testing::HasSubstr("query: expected data aligned"));
}

TEST(CheckArguments, OutputsThatOverlap) {
  Call call;
  call.out = TensorView(const_cast<void*>(call.query.raw()), DType::f32, call.out.sizes());
  EXPECT_EQ(call.message_of_forward(),
            "out: is written, so expected memory of its own, got memory that overlaps query");
  call = Call();
  call.lse = TensorView(call.out.raw(), DType::f32, call.lse.sizes());
  EXPECT_EQ(call.message_of_forward(),
            "lse: is written, so expected memory of its own, got memory that overlaps out");
  call = Call();
  call.out = TensorView(call.out.raw(), DType::f32, call.out.sizes(),
                        std::vector<std::int64_t>{0, 20, 4, 1});
  EXPECT_THAT(
      call.message_of_forward(),
      testing::HasSubstr("out: is written, so expected every element at a place of its own"));
}

TEST(CheckArguments, Options) {
  using Spoil = std::function<void(Call&)>;
  static const std::int64_t lengths[] = {3, 8};
  static const std::int64_t falling[] = {0, 4, 3, 5};
  static const std::int64_t short_of_it[] = {0, 4};
  static const float numbers[64] = {};
  const auto lengths_view = ConstTensorView::of(lengths, {2});
  const std::pair<Spoil, std::string> cases[] = {
      {[](Call& c) { c.options.softmax_scale = std::numeric_limits<double>::infinity(); },
       "softmax_scale: expected a finite number, got inf"},
      {[](Call& c) { c.options.softcap = 0; },
       "softcap: expected a finite number above 0, got 0.000000"},
      {[](Call& c) { c.options.dropout = Dropout{1.0}; },
       "dropout.probability: expected 0 or more and less than 1, got 1.000000"},
      {[](Call& c) {
         c.options.window = SlidingWindow{CausalAlignment::top_left, -2, 0};
       },
       "window.left: expected 0 or more keys, or kUnlimited, got -2"},
      {[](Call& c) {
         c.options.causal = CausalAlignment::top_left;
         c.options.window = SlidingWindow{CausalAlignment::bottom_right, 2, 0};
       },
       "causal and window: expected one alignment, got top_left and bottom_right"},
      {[](Call& c) {
         c.options.causal = CausalAlignment::bottom_right;
         c.options.alibi = Alibi{CausalAlignment::top_left, ConstTensorView::of(numbers, {2})};
       },
       "causal and alibi: expected one alignment, got bottom_right and top_left"},
      {[&](Call& c) { c.options.key_lengths = lengths_view; },
       "key_lengths: expected 0 to kv_len = 7, got 8 at index 1"},
      {[&](Call& c) {
         c.options.key_lengths = lengths_view;
         c.options.cu_seqlens_key = c.options.cu_seqlens_query = ConstTensorView::of(falling, {4});
       },
       "cu_seqlens_key and key_lengths: expected one of them, for both say where a sequence's keys "
       "end; got both"},
      {[&](Call& c) { c.options.cu_seqlens_key = ConstTensorView::of(falling, {4}); },
       "cu_seqlens_key: expected cu_seqlens_query beside it, got it alone"},
      {[&](Call& c) {
         c.options.cu_seqlens_key = c.options.cu_seqlens_query = ConstTensorView::of(falling, {4});
       },
       "cu_seqlens_query: expected tensors of batch 1, their sequences one after the other, got a "
       "batch of 2"},
      {[](Call& c) {
         c.options.past_key = ConstTensorView::of(numbers, {2, 2, 1, 4});
       },
       "past_key: expected past_value beside it, got past_key alone"},
      {[](Call& c) {
         c.options.mask = ConstTensorView::of(numbers, {5, 7});
       },
       "mask: expected elements of type bool or u8, got f32"},
      {[](Call& c) {
         c.options.bias = ConstTensorView::of(numbers, {5, 6});
       },
       "bias: expected a shape that broadcasts to [batch, num_heads, q_len, kv_len] = [2, 2, 5, "
       "7], "
       "got [5, 6]"},
      {[](Call& c) { c.options.sinks = ConstTensorView::of(numbers, {3}); },
       "sinks: expected [num_heads] = [2], got [3]"},
      {[&](Call& c) { c.options.query_documents = lengths_view; },
       "query_documents: expected key_documents beside it, got it alone"},
      {[](Call& c) {
         c.options.alibi = Alibi{CausalAlignment::top_left, ConstTensorView::of(numbers, {1, 2})};
       },
       "alibi.slopes: expected [batch, num_heads] = [2, 2], got [1, 2]"},
  };
  for (const auto& [spoil, expected] : cases) {
    Call call;
    spoil(call);
    EXPECT_EQ(call.message_of_forward(), expected);
  }
  Call call({.batch = 1});
  call.options.cu_seqlens_key = call.options.cu_seqlens_query = ConstTensorView::of(falling, {4});
  EXPECT_EQ(call.message_of_forward(),
            "cu_seqlens_query: expected elements that never fall, got 4 then 3 at index 2");
  call.options.cu_seqlens_key = call.options.cu_seqlens_query =
      ConstTensorView::of(short_of_it, {2});
  EXPECT_EQ(call.message_of_forward(),
            "cu_seqlens_query: expected q_len = 5 as its last element, got 4");
}

TEST(CheckArguments, Gradients) {
  Call call;
  Tensor query_like(DType::f32, call.inputs.query.sizes());
  AttentionGradients gradients;
  gradients.query = query_like.view();
  EXPECT_EQ(call.message_of_backward(gradients), "");
  gradients.key = query_like.view();
  EXPECT_EQ(call.message_of_backward(gradients),
            "grad_key: expected key's shape [2, 2, 7, 4], got [2, 2, 5, 4]");
  gradients = {};
  gradients.bias = query_like.view();
  EXPECT_EQ(call.message_of_backward(gradients),
            "grad_bias: expected bias beside it, whose gradient it is; got it alone");
  gradients = {};
  gradients.query = TensorView(const_cast<void*>(call.query.raw()), DType::f32, call.query.sizes());
  EXPECT_EQ(
      call.message_of_backward(gradients),
      "grad_query: is written, so expected memory of its own, got memory that overlaps query");
  Call no_lse;
  no_lse.lse = TensorView();
  EXPECT_EQ(no_lse.message_of_backward({}),
            "lse: expected 3 axes [batch, num_heads, q_len], got shape []");
}

}  // namespace
}  // namespace limelight::test
