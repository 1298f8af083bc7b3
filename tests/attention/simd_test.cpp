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

double rounding_of(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0;
}

TEST(InstructionSet, TheForcedOneRuns) {
  const char* forced = std::getenv("LIMELIGHT_ISA");
  const std::string expected = forced ? forced : available_instruction_sets().front();
  EXPECT_EQ(instruction_set(), expected);
  EXPECT_EQ(simd::instruction_set_of_kernels(), vector_instruction_set());
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
    const bool on_tiles = dtype == DType::bf16 && tile_unit() != nullptr;
    const double weights = on_tiles ? 0x1p-8 : 0;  // are rounded to bf16 too
    expect_near(found.out, expected.out, 4e-6 + rounding_of(dtype) + weights, 0.1, "out");
    EXPECT_LE(largest_difference(found.lse, expected.lse), on_tiles ? 0x1p-13 : 4e-6) << "lse";
  }
}

TEST_P(SimdTest, AnOutInBf16IsTheOneInF32Rounded) {
  const TileUnitForTest no_tiles(nullptr);
  const AttentionCase inputs(GetParam(), DType::bf16);
  const Tensor wide = run_forward(inputs, DType::f32).out;
  Tensor rounded(DType::bf16, wide.sizes());
  for (std::int64_t i = 0; i < wide.elements(); ++i) rounded.set(i, wide.get(i));
  EXPECT_EQ(run_forward(inputs, DType::bf16).out.bytes(), rounded.bytes());
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
    const bool on_tiles = dtype == DType::bf16 && tile_unit() != nullptr;
    const double factors = on_tiles ? 0x1p-8 : 0;  // are rounded to bf16 too
    for (std::size_t g = 0; g < expected.named().size(); ++g) {
      const auto [name, gradient] = expected.named()[g];
      expect_near(*found.named()[g].second, *gradient, 2e-5 + rounding_of(dtype) + factors,
                  0.02 * std::sqrt(rows), name.c_str());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, SimdTest, testing::ValuesIn(wide_specs()), name_of_case);

}  // namespace
}  // namespace limelight::test
