// The fused kernels against the float64 reference: every option alone and in company, every type,
// across tile boundaries; and the promises that are kept to the bit. Runs once for each instruction
// set that the processor has (see CMakeLists.txt).

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "attention/attention_case.h"
#include "attention/kernels/simd/attention.h"
#include "base/instruction_set.h"

namespace limelight::test {
namespace {

constexpr auto kBottom = CausalAlignment::bottom_right;

double rounding_of(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0;
}

TEST(InstructionSet, TheForcedOneRuns) {
  const char* forced = std::getenv("LIMELIGHT_ISA");
  const std::string expected = forced ? forced : available_instruction_sets().front();
  EXPECT_EQ(simd::instruction_set_of_kernels(), expected);
  EXPECT_EQ(instruction_set(), expected);
}

/// option_specs() with extents that cross tiles of queries and keys, and their strides with them.
std::vector<CaseSpec> wide_specs() {
  std::vector<CaseSpec> specs;
  const auto scaled = [](std::int64_t extent) { return extent <= 1 ? extent : extent * 23 + 3; };
  for (CaseSpec spec : option_specs()) {
    const std::int64_t q_len = spec.q_len;
    const std::int64_t kv_len = spec.past_len + spec.new_len;
    spec.q_len = scaled(spec.q_len);
    spec.past_len = spec.past_len == 0 ? 0 : scaled(spec.past_len);
    spec.new_len = scaled(spec.new_len);
    const auto widen = [&](std::vector<std::int64_t>& sizes) {
      for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
        const std::size_t from_end = sizes.size() - axis;
        if (from_end == 1 && sizes[axis] == kv_len) sizes[axis] = spec.past_len + spec.new_len;
        if (from_end == 2 && sizes[axis] == q_len) sizes[axis] = spec.q_len;
      }
    };
    widen(spec.mask_sizes);
    widen(spec.bias_sizes);
    for (std::int64_t& length : spec.key_lengths) {
      length = length == kv_len ? spec.past_len + spec.new_len : length * 23;
    }
    if (!spec.cu_seqlens_query.empty()) {
      for (std::int64_t& start : spec.cu_seqlens_query) start *= 23;
      for (std::int64_t& start : spec.cu_seqlens_key) start *= 23;
      spec.cu_seqlens_query.back() = spec.q_len;
      spec.cu_seqlens_key.back() = spec.new_len;
    }
    if (spec.window) {
      if (spec.window->left > 0) spec.window->left *= 23;
      if (spec.window->right > 0) spec.window->right *= 23;
    }
    specs.push_back(spec);
  }
  for (const std::int64_t dim : {1, 16, 64, 80, 128, 512}) {
    specs.push_back({.name = "dims_" + std::to_string(dim),
                     .q_len = 50,
                     .new_len = 150,
                     .head_dim = dim,
                     .value_dim = dim,
                     .causal = kBottom});
  }
  return specs;
}

class SimdTest : public testing::TestWithParam<CaseSpec> {};

/// What is summed can cancel to nothing, and the errors of the terms stay: `terms` of them.
void expect_near(const Tensor& found, const Tensor& expected, double bound, double terms,
                 const char* name) {
  EXPECT_LE(largest_difference(found, expected), bound * (largest_magnitude(expected) + terms))
      << name;
}

TEST_P(SimdTest, ForwardAgreesWithTheReference) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const AttentionCase inputs(GetParam(), dtype);
    const ForwardResult expected = run_forward(inputs, DType::f64);
    const ForwardResult found = run_forward(inputs, dtype);
    expect_near(found.out, expected.out, 4e-6 + rounding_of(dtype), 0.1, "out");
    EXPECT_LE(largest_difference(found.lse, expected.lse), 4e-6) << "lse";
  }
}

TEST_P(SimdTest, BackwardAgreesWithTheReference) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const CaseSpec& spec = GetParam();
    const AttentionCase inputs(spec, dtype);
    // The same rounded out and lse for both, so that only the backward is compared.
    const ForwardResult forward = run_forward(inputs, dtype);
    ForwardResult exact = run_forward(inputs, DType::f64);
    for (std::int64_t i = 0; i < exact.out.elements(); ++i) exact.out.set(i, forward.out.get(i));
    for (std::int64_t i = 0; i < exact.lse.elements(); ++i) exact.lse.set(i, forward.lse.get(i));
    const BackwardResult expected = run_backward(inputs, exact, DType::f64);
    const BackwardResult found = run_backward(inputs, forward, dtype);
    // Errors of as many terms as there are rows, which are of either sign.
    const double rows = static_cast<double>(spec.q_len + spec.past_len + spec.new_len);
    for (std::size_t g = 0; g < expected.named().size(); ++g) {
      const auto [name, gradient] = expected.named()[g];
      expect_near(*found.named()[g].second, *gradient, 2e-5 + rounding_of(dtype),
                  0.02 * std::sqrt(rows), name.c_str());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, SimdTest, testing::ValuesIn(wide_specs()), name_of_case);

}  // namespace
}  // namespace limelight::test
