// The forward on tiles, by the emulated unit: its stated error (kernels/amx/attention.h), and what
// it leaves out. Every other test of the operator runs on it too, those to the bit and of
// containment among them: see emulated_tiles.cpp.

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/attention_case.h"
#include "attention/kernels/amx/strip_sizes.h"
#include "base/instruction_set.h"

namespace limelight::test {
namespace {

constexpr auto kBottom = CausalAlignment::bottom_right;

ForwardResult run_on_tiles(const AttentionCase& inputs) {
  const TileUnitForTest emulated(&tiles::emulated_unit());
  return run_forward(inputs, DType::bf16);
}

/// |query| . |key| * scale at its largest.
double largest_score_terms(const AttentionCase& inputs) {
  const CaseSpec& spec = inputs.spec;
  const double scale = spec.softmax_scale.value_or(1 / std::sqrt(double(spec.head_dim)));
  return double(spec.head_dim) * std::abs(scale) * largest_magnitude(inputs.query) *
         std::max(largest_magnitude(inputs.key),
                  inputs.past_key.empty() ? 0 : largest_magnitude(inputs.past_key));
}

void expect_stated_error(const AttentionCase& inputs) {
  const ForwardResult exact = run_forward(inputs, DType::f64);
  const ForwardResult found = run_on_tiles(inputs);
  constexpr double kUnit = 0x1p-24;
  const double scores = kUnit * (4 + largest_score_terms(inputs));
  double values = largest_magnitude(inputs.value);
  if (!inputs.past_value.empty()) values = std::max(values, largest_magnitude(inputs.past_value));
  // Dropout multiplies weights; what it keeps of them still sums to about 1.
  if (inputs.spec.dropout) values /= 1 - inputs.spec.dropout->probability;
  const double rounding = 0x1p-8 * values;  // of bf16, to half of its spacing
  EXPECT_LE(largest_difference(found.out, exact.out),
            (0x1p-9 + 0x1p-12 + 8 * scores) * values + rounding / 2 + 0x1p-126);
  EXPECT_LE(largest_difference(found.lse, exact.lse), 0x1p-13 + 2 * scores + 16 * kUnit);
}

class TilesTest : public testing::TestWithParam<CaseSpec> {};

TEST_P(TilesTest, StaysWithinTheStatedError) {
  expect_stated_error(AttentionCase(GetParam(), DType::bf16));
}

INSTANTIATE_TEST_SUITE_P(Options, TilesTest, testing::ValuesIn(option_specs()), name_of_case);
INSTANTIATE_TEST_SUITE_P(WideOptions, TilesTest, testing::ValuesIn(wide_specs()), name_of_case);

void scale_elements(Tensor& tensor, double factor) {
  for (std::int64_t i = 0; i < tensor.elements(); ++i) tensor.set(i, tensor.get(i) * factor);
}

TEST(TilesAtHostileInputs, ScoresOf1e4) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  scale_elements(inputs.query, 1e4);
  expect_stated_error(inputs);
}

TEST(TilesAtHostileInputs, ScoresOf1e30) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  scale_elements(inputs.query, 1e30);
  const ForwardResult exact = run_forward(inputs, DType::f64);
  // One key has all the weight: its value comes through untouched.
  EXPECT_EQ(largest_difference(run_on_tiles(inputs).out, exact.out), 0);
}

TEST(TilesAtHostileInputs, AllEqualKeys) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  inputs.key.fill(0.37);
  expect_stated_error(inputs);
}

TEST(TilesAtHostileInputs, Denormals) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  scale_elements(inputs.query, 1e-39);
  scale_elements(inputs.value, 1e-39);
  expect_stated_error(inputs);
}

TEST(TilesAtHostileInputs, ManyKeys) {
  expect_stated_error(AttentionCase(one_head(3, 65536, 8), DType::bf16));
}

TEST(TilesAtHostileInputs, MixedMagnitudes) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  for (std::int64_t i = 0; i < inputs.key.elements(); ++i) {
    inputs.key.set(i, inputs.key.get(i) * std::exp2(double(i % 13) - 9));
    inputs.value.set(i, inputs.value.get(i) * std::exp2(double(i % 29) - 14));
  }
  expect_stated_error(inputs);
}

// One query, one key 0 and one whose score is x: the weights are exp(x) / (1 + exp(x)) to 2^-13,
// and lse shows them before they are rounded to bf16.
TEST(ShortExponential, StaysWithinItsStatedError) {
  CaseSpec spec = one_head(512, 2, 1);
  spec.softmax_scale = 1;
  AttentionCase inputs(spec, DType::bf16);
  for (std::int64_t i = 0; i < 512; ++i) inputs.query.set(i, -double(i) / 64);
  inputs.key.set(0, 0);
  inputs.key.set(1, 1);
  const ForwardResult found = run_on_tiles(inputs);
  for (std::int64_t i = 0; i < 512; ++i) {
    const double exponential = std::exp(inputs.query.get(i));
    EXPECT_NEAR(std::expm1(found.lse.get(i)), exponential, 0x1p-13 * exponential + 0x1p-22) << i;
  }
}

int products_run = 0;

/// Products of the forward, on one thread.
int count_products(const CaseSpec& spec) {
  tiles::TileUnit counting = tiles::emulated_unit();
  counting.begin = [](const tiles::BlockProduct& product, const tiles::BlockProduct* unfinished) {
    ++products_run;
    tiles::emulated_unit().begin(product, unfinished);
  };
  products_run = 0;
  const TileUnitForTest unit(&counting);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  run_forward(AttentionCase(spec, DType::bf16), DType::bf16);
  omp_set_num_threads(threads);
  return products_run;
}

TEST(Tiles, WhatNoQuerySeesIsNotComputed) {
  // Four strips; two pieces of scores and one of context each, for each of eight blocks.
  CaseSpec spec = one_head(256, 256, 32);
  EXPECT_EQ(count_products(spec), 8 * 4 * 3);
  spec.causal = kBottom;
  EXPECT_EQ(count_products(spec), 2 * (1 + 2 + 3 + 4) * 3);
  spec.window = SlidingWindow{kBottom, 0, 0};
  EXPECT_EQ(count_products(spec), 8 * 3);
  spec.window.reset();
  spec.documents = true;  // keys of three documents, looked up one by one
  EXPECT_LT(count_products(spec), 2 * (1 + 2 + 3 + 4) * 3);
}

TEST(Tiles, AnOutOfMoreDigitsIsLeftToTheVectorKernels) {
  const AttentionCase inputs({.name = "plain"}, DType::bf16);
  const TileUnitForTest emulated(&tiles::emulated_unit());
  EXPECT_LE(
      largest_difference(run_forward(inputs, DType::f32).out, run_forward(inputs, DType::f64).out),
      4e-6);
}

TEST(Tiles, EachScoreOfAStripHasAPlaceOfItsOwnAndSoHasItsWeight) {
  constexpr std::int64_t kScores = amx::kStripKeys * amx::kQueryRows;
  std::vector<int> scores_at(kScores), weights_at(kScores);
  for (std::int64_t key = 0; key < amx::kStripKeys; ++key) {
    for (std::int64_t query = 0; query < amx::kQueryRows; ++query) {
      ++scores_at.at(static_cast<std::size_t>(amx::score_index(key, query)));
      ++weights_at.at(static_cast<std::size_t>(amx::weight_index(key, query)));
    }
  }
  EXPECT_EQ(scores_at, std::vector<int>(kScores, 1));
  EXPECT_EQ(weights_at, std::vector<int>(kScores, 1));
}

}  // namespace
}  // namespace limelight::test
