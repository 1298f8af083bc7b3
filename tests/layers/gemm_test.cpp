#include "layers/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/counter_random.h"

namespace limelight {
namespace {

std::vector<float> random_values(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(random_normal(seed, static_cast<std::uint64_t>(i))));
  }
  return values;
}

double element(const GemmOperand& m, std::int64_t i, std::int64_t j) {
  return m.transposed ? m.data[j * m.stride + i] : m.data[i * m.stride + j];
}

void check(std::int64_t m, std::int64_t n, std::int64_t k, bool a_transposed, bool b_transposed,
           bool accumulate) {
  SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k << " " << a_transposed
                                  << b_transposed << accumulate);
  // Strides beyond the rows' ends, and a column beside c that must stay.
  const std::int64_t a_stride = (a_transposed ? m : k) + 3;
  const std::int64_t b_stride = (b_transposed ? k : n) + 1;
  const std::int64_t c_stride = n + 2;
  const auto a = random_values((a_transposed ? k : m) * a_stride, 1);
  const auto b = random_values((b_transposed ? n : k) * b_stride, 2);
  const auto before = random_values(m * c_stride, 3);
  auto c = before;
  const GemmOperand a_operand{a.data(), a_stride, a_transposed};
  const GemmOperand b_operand{b.data(), b_stride, b_transposed};
  gemm(m, n, k, a_operand, b_operand, accumulate, c.data(), c_stride);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < c_stride; ++j) {
      const auto at = static_cast<std::size_t>(i * c_stride + j);
      if (j >= n) {
        EXPECT_EQ(c[at], before[at]);
        continue;
      }
      double sum = accumulate ? before[at] : 0.0;
      double sizes = std::fabs(sum);
      for (std::int64_t l = 0; l < k; ++l) {
        const double product = element(a_operand, i, l) * element(b_operand, l, j);
        sum += product;
        sizes += std::fabs(product);
      }
      EXPECT_NEAR(c[at], sum, static_cast<double>(k + 1) * 0x1p-24 * sizes);
    }
  }
}

TEST(Gemm, IsTheProductForEveryShapeAndOrientation) {
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {3, 5, 7}, {1, 300, 17}, {97, 193, 40}, {130, 33, 260}, {1100, 65, 9}}) {
    for (const bool a : {false, true}) {
      for (const bool b : {false, true}) {
        for (const bool accumulate : {false, true}) check(m, n, k, a, b, accumulate);
      }
    }
  }
}

/// Rows 0 to m - 1 of a product of `most` rows against the product of those rows alone.
void expect_rows_alike(std::int64_t most, const std::vector<std::int64_t>& fewer, std::int64_t n,
                       std::int64_t k, bool b_transposed, bool accumulate) {
  const auto a = random_values(most * k, 1);
  const auto b = random_values(k * n, 2);
  const auto before = random_values(most * n, 3);
  const GemmOperand b_operand{b.data(), b_transposed ? k : n, b_transposed};
  auto whole = before;
  gemm(most, n, k, {a.data(), k}, b_operand, accumulate, whole.data(), n);
  for (const std::int64_t m : fewer) {
    auto part = before;
    gemm(m, n, k, {a.data(), k}, b_operand, accumulate, part.data(), n);
    EXPECT_TRUE(std::equal(part.begin(), part.begin() + m * n, whole.begin()))
        << m << " of " << most << " rows, n " << n << ", k " << k << ", " << b_transposed
        << accumulate;
  }
}

TEST(Gemm, ARowDoesNotDependOnHowManyStandBesideIt) {
  std::vector<std::int64_t> few;
  for (std::int64_t m = 1; m <= 200; ++m) few.push_back(m);
  for (const bool transposed : {false, true}) {
    for (const bool accumulate : {false, true}) {
      for (const auto& [n, k] : std::vector<std::array<std::int64_t, 2>>{
               {48, 16}, {40, 16}, {192, 192}, {192, 768}, {576, 192}}) {
        expect_rows_alike(204, few, n, k, transposed, accumulate);
      }
      // Where the pieces are cut otherwise.
      expect_rows_alike(1100, {7, 90, 95, 97, 193, 1023, 1024, 1025, 1086, 1098, 1099}, 200, 33,
                        transposed, accumulate);
    }
  }
}

TEST(Gemm, NothingIsDoneForNothing) {
  float c = 7;
  gemm(0, 1, 1, {nullptr, 1}, {nullptr, 1}, false, &c, 1);
  EXPECT_EQ(c, 7);
}

}  // namespace
}  // namespace limelight
