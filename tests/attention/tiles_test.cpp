// Forward and backward on tiles, by the emulated unit: their stated error
// (kernels/amx/attention.h), and what they leave out. Every other test of the operator runs on it
// too, those to the bit and of containment among them: see emulated_tiles.cpp.

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/attention_case.h"
#include "attention/gradient_magnitudes.h"
#include "attention/kernels/amx/backward_sizes.h"
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
            (0x1p-8 + 0x1p-12 + 8 * scores) * values + rounding / 2 + 0x1p-126);
  EXPECT_LE(largest_difference(found.lse, exact.lse), 0x1p-13 + 2 * scores + 16 * kUnit);
}

/// A tensor of past is there or not, and its magnitude 0 where it is not.
double largest_of(const Tensor& tensor, const Tensor& past) {
  return std::max(largest_magnitude(tensor), past.empty() ? 0 : largest_magnitude(past));
}

void expect_stated_gradient_errors(const AttentionCase& inputs) {
  const TileUnitForTest emulated(&tiles::emulated_unit());
  // The same rounded out and lse for both, so that only the backward is compared.
  const ForwardResult forward = run_forward(inputs, DType::bf16);
  ForwardResult given = run_forward(inputs, DType::f64);
  for (std::int64_t i = 0; i < given.out.elements(); ++i) given.out.set(i, forward.out.get(i));
  for (std::int64_t i = 0; i < given.lse.elements(); ++i) given.lse.set(i, forward.lse.get(i));
  const BackwardResult exact = run_backward(inputs, given, DType::f64);
  const BackwardResult found = run_backward(inputs, forward, DType::bf16);
  const BackwardResult magnitudes = gradient_magnitudes(inputs, given);

  const CaseSpec& spec = inputs.spec;
  const double rows = double(spec.q_len + spec.past_len + spec.new_len);
  const double scores = 0x1p-24 * (4 + largest_score_terms(inputs)) * 64 * std::sqrt(rows);
  const double kept = spec.dropout ? 1 / (1 - spec.dropout->probability) : 1;
  const double weights = largest_magnitude(inputs.grad_out) * kept;
  const double products =
      weights * largest_of(inputs.value, inputs.past_value) * double(spec.value_dim) *
      std::max(largest_magnitude(inputs.query), largest_of(inputs.key, inputs.past_key));
  for (std::size_t g = 0; g < magnitudes.named().size(); ++g) {
    const auto [name, sums] = magnitudes.named()[g];
    const Tensor& gradient = *exact.named()[g].second;
    const Tensor& on_tiles = *found.named()[g].second;
    const double largest = name.ends_with("value") ? weights : products;
    for (std::int64_t i = 0; i < gradient.elements(); ++i) {
      const double bound = (0x1p-8 + 0x1p-12) * sums->get(i) + scores * largest +
                           0x1p-8 * std::abs(gradient.get(i)) + 0x1p-126;
      ASSERT_NEAR(on_tiles.get(i), gradient.get(i), bound) << name << " at " << i;
    }
  }
}

class TilesTest : public testing::TestWithParam<CaseSpec> {};

TEST_P(TilesTest, StaysWithinTheStatedError) {
  const AttentionCase inputs(GetParam(), DType::bf16);
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
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
  expect_stated_gradient_errors(inputs);
}

TEST(TilesAtHostileInputs, ScoresOf1e30) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  scale_elements(inputs.query, 1e30);
  const ForwardResult exact = run_forward(inputs, DType::f64);
  // One key has all the weight: its value comes through untouched, and so does grad_out.
  const ForwardResult found = run_on_tiles(inputs);
  EXPECT_EQ(largest_difference(found.out, exact.out), 0);
  const TileUnitForTest emulated(&tiles::emulated_unit());
  const Tensor gradient = run_backward(inputs, exact, DType::f64).value;
  EXPECT_LE(largest_difference(run_backward(inputs, found, DType::bf16).value, gradient),
            0x1p-8 * largest_magnitude(gradient));
}

/// One query; key 0 has score 0 and value -1, all others `score` and value 1.
AttentionCase one_against_many(std::int64_t many, double score) {
  CaseSpec spec = one_head(1, 1 + many, 3);
  spec.softmax_scale = 1;
  AttentionCase inputs(spec, DType::bf16);
  inputs.query.fill(1);
  for (std::int64_t k = 0; k <= many; ++k) {
    double rest = k == 0 ? 0 : score;
    for (std::int64_t i = 3 * k; i < 3 * (k + 1); ++i) {
      inputs.key.set(i, rest);  // what one bf16 leaves of the score the next one takes
      rest -= inputs.key.get(i);
      inputs.value.set(i, k == 0 ? -1 : 1);
    }
  }
  return inputs;
}

// Weights just above half a unit of eight digits all round up by nearly 2^-8 of themselves.
TEST(TilesAtHostileInputs, AllWeightsRoundOneWay) {
  const double score = std::log((1 + 0x1p-8 + 0x1p-12) / 2);
  double largest = 0;
  for (std::int64_t many = 100; many < 200; ++many) {
    const AttentionCase inputs = one_against_many(many, score);
    expect_stated_error(inputs);
    largest = std::max(
        largest, largest_difference(run_on_tiles(inputs).out, run_forward(inputs, DType::f64).out));
  }
  EXPECT_GT(largest, 0x1p-8 + 0x1p-12) << "2^-9 for a weight and 2^-9 for out would be enough";
}

// Side by side: queries whose scores fall, stay, rise by less than makes a shift move at a time,
// and by more in each strip, to 1400 above the first.
TEST(TilesAtHostileInputs, RisingScores) {
  CaseSpec spec = one_head(40, 700, 1);
  spec.softmax_scale = 1;
  AttentionCase inputs(spec, DType::bf16);
  constexpr double kSlopes[] = {-1, 0, 0.01, 0.1, 0.3, 2};
  for (std::int64_t i = 0; i < 40; ++i) inputs.query.set(i, kSlopes[i % 6]);
  for (std::int64_t j = 0; j < 700; ++j) inputs.key.set(j, double(j));
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
}

TEST(TilesAtHostileInputs, AllEqualKeys) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  inputs.key.fill(0.37);
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
}

TEST(TilesAtHostileInputs, Denormals) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  scale_elements(inputs.query, 1e-39);
  scale_elements(inputs.value, 1e-39);
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
}

TEST(TilesAtHostileInputs, ManyKeys) {
  const AttentionCase inputs(one_head(3, 65536, 8), DType::bf16);
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
}

TEST(TilesAtHostileInputs, MixedMagnitudes) {
  AttentionCase inputs(one_head(40, 300, 16), DType::bf16);
  for (std::int64_t i = 0; i < inputs.key.elements(); ++i) {
    inputs.key.set(i, inputs.key.get(i) * std::exp2(double(i % 13) - 9));
    inputs.value.set(i, inputs.value.get(i) * std::exp2(double(i % 29) - 14));
  }
  expect_stated_error(inputs);
  expect_stated_gradient_errors(inputs);
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

/// Products that `run` takes, on one thread.
template <class Run>
int count_products(const Run& run) {
  tiles::TileUnit counting = tiles::emulated_unit();
  counting.multiply = [](const tiles::BlockProduct& product, const tiles::SumTiles& unfinished,
                         const tiles::Beside& beside) {
    ++products_run;
    tiles::emulated_unit().multiply(product, unfinished, beside);
  };
  const TileUnitForTest unit(&counting);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  products_run = 0;
  run();
  omp_set_num_threads(threads);
  return products_run;
}

int count_forward(const CaseSpec& spec) {
  const AttentionCase inputs(spec, DType::bf16);
  return count_products([&] { run_forward(inputs, DType::bf16); });
}

int count_backward(const CaseSpec& spec) {
  const AttentionCase inputs(spec, DType::bf16);
  const ForwardResult forward = run_forward(inputs, DType::bf16);
  return count_products([&] { run_backward(inputs, forward, DType::bf16); });
}

TEST(Tiles, WhatNoQuerySeesIsNotComputed) {
  // Four strips; two pieces of scores and one of context each, for each of eight blocks.
  CaseSpec spec = one_head(256, 256, 32);
  EXPECT_EQ(count_forward(spec), 8 * 4 * 3);
  spec.causal = kBottom;
  EXPECT_EQ(count_forward(spec), 2 * (1 + 2 + 3 + 4) * 3);
  spec.window = SlidingWindow{kBottom, 0, 0};
  EXPECT_EQ(count_forward(spec), 8 * 3);
  spec.window.reset();
  spec.documents = true;  // keys of three documents, looked up one by one
  EXPECT_LT(count_forward(spec), 2 * (1 + 2 + 3 + 4) * 3);
}

TEST(Tiles, WhatNoQuerySeesIsNotDifferentiated) {
  // Four strips. With each half of a block of queries two pieces of scores, two of gradients of
  // weights and one of grad_query; with each of four blocks two of grad_value and two of grad_key.
  constexpr int kHalf = 5;
  constexpr int kBlock = 4;
  CaseSpec spec = one_head(256, 256, 32);
  EXPECT_EQ(count_backward(spec), 4 * (8 * kHalf + 4 * kBlock));
  spec.causal = kBottom;
  EXPECT_EQ(count_backward(spec), (1 + 2 + 3 + 4) * (2 * kHalf + kBlock));
  spec.window = SlidingWindow{kBottom, 0, 0};
  EXPECT_EQ(count_backward(spec), 8 * kHalf + 4 * kBlock);
  spec.window.reset();
  spec.documents = true;
  EXPECT_LT(count_backward(spec), (1 + 2 + 3 + 4) * (2 * kHalf + kBlock));
}

/// Forward and backward with one element NaN or infinite.
BackwardResult run_poisoned(AttentionCase inputs, Tensor AttentionCase::*member, double poison,
                            const tiles::TileUnit* unit) {
  const TileUnitForTest here(unit);
  (inputs.*member).set(77 * 24 + 5, poison);
  return run_backward(inputs, run_forward(inputs, DType::bf16), DType::bf16);
}

TEST(Tiles, WhatIsNoNumberShowsInTheSameGradientsAsByVectors) {
  CaseSpec spec = one_head(150, 150, 24);
  spec.causal = kBottom;
  spec.window = SlidingWindow{kBottom, 70, 0};
  const AttentionCase inputs(spec, DType::bf16);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double poison : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const auto member : {&AttentionCase::query, &AttentionCase::key, &AttentionCase::value,
                              &AttentionCase::grad_out}) {
      const BackwardResult found = run_poisoned(inputs, member, poison, &tiles::emulated_unit());
      const BackwardResult expected = run_poisoned(inputs, member, poison, nullptr);
      int infinite = 0;
      for (std::size_t g = 0; g < expected.named().size(); ++g) {
        const auto [name, gradient] = expected.named()[g];
        for (std::int64_t i = 0; i < gradient->elements(); ++i) {
          const bool finite = std::isfinite(gradient->get(i));
          ASSERT_EQ(std::isfinite(found.named()[g].second->get(i)), finite) << name << " at " << i;
          infinite += !finite;
        }
      }
      EXPECT_GT(infinite, 0);
    }
  }
}

// Where a tile has no query nothing is looked up, and what stands there enters no sum.
TEST(Tiles, WhatAnEarlierCallLeftEntersNothing) {
  CaseSpec spec = one_head(256, 256, 40);
  spec.dropout = Dropout{0.3, 7, 1};
  AttentionCase before(spec, DType::bf16);
  before.query.fill(std::numeric_limits<double>::quiet_NaN());
  spec.softcap = 2;
  for (const std::int64_t q_len : {1, 25, 33}) {
    spec.q_len = q_len;
    const TileUnitForTest here(&tiles::emulated_unit());
    run_backward(before, run_forward(before, DType::bf16), DType::bf16);
    expect_stated_gradient_errors(AttentionCase(spec, DType::bf16));
  }
}

TEST(Tiles, AnOutOfMoreDigitsIsLeftToTheVectorKernels) {
  const AttentionCase inputs({.name = "plain"}, DType::bf16);
  const TileUnitForTest emulated(&tiles::emulated_unit());
  const ForwardResult exact = run_forward(inputs, DType::f64);
  const ForwardResult found = run_forward(inputs, DType::f32);
  EXPECT_LE(largest_difference(found.out, exact.out), 4e-6);
  EXPECT_LE(largest_difference(run_backward(inputs, found, DType::f32).key,
                               run_backward(inputs, exact, DType::f64).key),
            2e-5);
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

TEST(Tiles, EachWeightOfABlockHasAPlaceOfItsOwnAmongTheRows) {
  std::vector<int> weights_at(amx::kBlockScores);
  for (std::int64_t part = 0; part < amx::kBlockParts; ++part) {
    for (std::int64_t key = 0; key < amx::kStripKeys; ++key) {
      for (std::int64_t query = 0; query < amx::kQueryRows; ++query) {
        ++weights_at.at(static_cast<std::size_t>(amx::row_index(part, key, query)));
      }
    }
  }
  EXPECT_EQ(weights_at, std::vector<int>(amx::kBlockScores, 1));
}

}  // namespace
}  // namespace limelight::test
