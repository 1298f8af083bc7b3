// Bytes choose extents, options, types and strides of a call. What the checks refuse must be
// refused by Error; what they let pass must agree with the float64 reference, in both directions,
// and give the same bits through other strides. bf16 is computed on vectors and on tiles, emulated
// ones, whatever the processor has.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "attention/attention_case.h"
#include "attention/gradient_magnitudes.h"
#include "base/instruction_set.h"

namespace {

using namespace limelight;
using namespace limelight::test;

/// Small numbers out of bytes; zeros when these run out.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), end_(data + size) {}
  std::int64_t below(std::int64_t limit) { return data_ == end_ ? 0 : *data_++ % limit; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + below(most - least + 1);
  }
  bool yes() { return below(2) != 0; }
  /// One in four: options are rare, so that many of them seldom meet.
  bool seldom() { return below(4) == 3; }

 private:
  const std::uint8_t* data_;
  const std::uint8_t* end_;
};

CausalAlignment draw_alignment(Choices& choices) {
  return choices.yes() ? CausalAlignment::bottom_right : CausalAlignment::top_left;
}

std::vector<std::int64_t> draw_broadcast(Choices& choices, const CaseSpec& spec) {
  std::vector<std::int64_t> sizes = {spec.batch, spec.num_heads, spec.q_len,
                                     spec.past_len + spec.new_len};
  for (std::int64_t& size : sizes) size = choices.seldom() ? 1 : size;
  sizes.erase(sizes.begin(), sizes.begin() + choices.below(4));
  return sizes;
}

void draw_lengths(Choices& choices, CaseSpec& spec) {
  if (choices.seldom()) spec.past_len = choices.between(1, 140);
  if (choices.seldom()) {
    for (std::int64_t b = 0; b < spec.batch; ++b) {
      spec.key_lengths.push_back(choices.between(0, spec.past_len + spec.new_len));
    }
  }
  if (choices.seldom()) {  // ragged, in tensors of batch 1
    spec.batch = 1;
    for (auto [starts, length] : {std::pair{&spec.cu_seqlens_query, spec.q_len},
                                  std::pair{&spec.cu_seqlens_key, spec.new_len}}) {
      const std::int64_t middle = choices.between(0, length);
      *starts = {0, middle, middle, length};
    }
  }
}

CaseSpec draw_spec(Choices& choices) {
  CaseSpec spec;
  spec.batch = choices.between(1, 3);
  spec.num_kv_heads = choices.between(1, 3);
  spec.num_heads = spec.num_kv_heads * choices.between(1, 3);
  spec.q_len = choices.between(0, 60);
  spec.new_len = choices.between(0, 200);
  spec.head_dim = choices.between(1, 40);
  spec.value_dim = choices.between(1, 40);
  draw_lengths(choices, spec);
  if (choices.seldom()) spec.softmax_scale = static_cast<double>(choices.between(-8, 8)) / 8;
  if (choices.seldom()) spec.causal = draw_alignment(choices);
  if (choices.seldom()) {
    spec.window =
        SlidingWindow{draw_alignment(choices), choices.between(-1, 60), choices.between(-1, 60)};
  }
  if (choices.seldom()) spec.mask_sizes = draw_broadcast(choices, spec);
  if (choices.seldom()) spec.bias_sizes = draw_broadcast(choices, spec);
  if (choices.seldom()) spec.alibi = draw_alignment(choices);
  spec.documents = choices.seldom();
  if (choices.seldom()) spec.softcap = static_cast<double>(choices.between(-1, 50)) / 4;
  spec.sinks = choices.seldom();
  if (choices.seldom()) {
    spec.dropout = Dropout{static_cast<double>(choices.between(0, 9)) / 10,
                           static_cast<std::uint64_t>(choices.below(256)), 1};
  }
  return spec;
}

[[noreturn]] void fail(const char* what, double difference, double bound) {
  std::fprintf(stderr, "%s: off by %g, allowed %g\n", what, difference, bound);
  std::abort();
}

void expect_near(const char* what, const Tensor& found, const Tensor& expected, double allowed) {
  const double difference = largest_difference(found, expected);
  if (!(difference <= allowed)) fail(what, difference, allowed);
}

/// The same call with rows that lie apart.
void expect_same_through_strides(const AttentionCase& inputs, const ForwardResult& expected,
                                 std::int64_t gap) {
  const auto spread = [&](const Tensor& tensor, Tensor& memory) {
    std::vector<std::int64_t> sizes = tensor.sizes();
    const std::int64_t dim = sizes[3];
    sizes[3] += gap;
    memory = Tensor(tensor.dtype(), sizes);
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      memory.set(i / dim * (dim + gap) + i % dim, tensor.get(i));
    }
    const std::int64_t strides[] = {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3],
                                    1};
    return TensorView(memory.view().raw(), tensor.dtype(), tensor.sizes(), strides);
  };
  Tensor query, key, value, out_memory;
  const TensorView out = spread(expected.out, out_memory);
  attention(spread(inputs.query, query), spread(inputs.key, key), spread(inputs.value, value), out,
            inputs.options());
  Tensor again;
  spread(expected.out, again);
  if (out_memory.bytes() != again.bytes()) fail("strides change bits", 1, 0);
}

double rounding_of(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0;
}

void check_forward(const AttentionCase& inputs, const ForwardResult& found,
                   const ForwardResult& exact, bool on_tiles, std::int64_t gap) {
  const double of_out = largest_magnitude(exact.out) + 1;
  // Tiles multiply weights that are rounded to bf16, which is relative to what is summed.
  const double weights = on_tiles ? 0x1p-8 * std::max(largest_magnitude(inputs.value), of_out) : 0;
  expect_near("out", found.out, exact.out,
              (1e-5 + rounding_of(found.out.dtype())) * of_out + weights);
  expect_near("lse", found.lse, exact.lse,
              1e-5 * (largest_magnitude(exact.lse) + 1) + (on_tiles ? 0x1p-13 : 0));
  expect_same_through_strides(inputs, found, gap);
}

/// The gradients at the out and lse that were found, so that only the backward is compared.
void check_backward(const AttentionCase& inputs, const ForwardResult& found, ForwardResult exact,
                    bool on_tiles) {
  for (std::int64_t i = 0; i < exact.out.elements(); ++i) exact.out.set(i, found.out.get(i));
  for (std::int64_t i = 0; i < exact.lse.elements(); ++i) exact.lse.set(i, found.lse.get(i));
  const DType dtype = found.out.dtype();
  const BackwardResult gradients = run_backward(inputs, found, dtype);
  const BackwardResult expected = run_backward(inputs, exact, DType::f64);
  // Tiles multiply weights and gradients of scores that are rounded to bf16: of each term.
  const BackwardResult terms = on_tiles ? gradient_magnitudes(inputs, exact) : BackwardResult();
  const auto terms_named = terms.named();
  const auto found_named = gradients.named();
  const auto expected_named = expected.named();
  for (std::size_t g = 0; g < found_named.size(); ++g) {
    const Tensor& gradient = *expected_named[g].second;
    const double factors =
        g < terms_named.size() ? 0x1p-8 * largest_magnitude(*terms_named[g].second) : 0;
    expect_near(found_named[g].first.c_str(), *found_named[g].second, gradient,
                (5e-5 + rounding_of(dtype)) * (largest_magnitude(gradient) + 1) + factors);
  }
}

void run_case(Choices& choices) {
  const CaseSpec spec = draw_spec(choices);
  constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16};
  const DType dtype = kTypes[choices.below(3)];
  const AttentionCase inputs(spec, dtype, static_cast<unsigned>(choices.below(256)));
  const std::int64_t gap = choices.below(5);
  const ForwardResult exact = run_forward(inputs, DType::f64);
  for (const tiles::TileUnit* unit :
       {static_cast<const tiles::TileUnit*>(nullptr), &tiles::emulated_unit()}) {
    if (unit != nullptr && dtype != DType::bf16) continue;
    const TileUnitForTest here(unit);
    const ForwardResult found = run_forward(inputs, dtype);
    check_forward(inputs, found, exact, unit != nullptr, gap);
    check_backward(inputs, found, exact, unit != nullptr);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(data, size);
  try {
    run_case(choices);
  } catch (const Error&) {  // refused, as it should be
  }
  return 0;
}
