// A linear layer on tiles, by the emulated unit and the processor's: its stated error, and its
// bits.

#include "layers/tile_product.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/instruction_set.h"
#include "base/tiles/unit_offer.h"

namespace limelight::test {
namespace {

std::vector<float> normal_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers) x = normal(random);
  return numbers;
}

/// A layer and rows to put through it. Extents below, at and beyond whole tiles and tasks.
struct Layer {
  Layer(std::int64_t row_count, std::int64_t in, std::int64_t out)
      : rows(row_count),
        in_width(in),
        out_width(out),
        x(normal_numbers(rows * in, 1)),
        weight(normal_numbers(in * out, 2)),
        bias(normal_numbers(out, 3)) {}

  std::vector<float> forward(const tiles::TileUnit& unit, std::int64_t first,
                             std::int64_t count) const {
    std::vector<float> out(static_cast<std::size_t>(count * out_width));
    TileProduct(in_width, out_width, weight.data())
        .forward(unit, count, x.data() + first * in_width, bias.data(), out.data());
    return out;
  }

  std::int64_t rows, in_width, out_width;
  std::vector<float> x, weight, bias;
};

class TileProductTest : public testing::TestWithParam<std::array<std::int64_t, 3>> {
 protected:
  Layer layer() const { return {GetParam()[0], GetParam()[1], GetParam()[2]}; }
};

void expect_stated_error(const Layer& l, const tiles::TileUnit& unit) {
  const std::vector<float> found = l.forward(unit, 0, l.rows);
  for (std::int64_t r = 0; r < l.rows; ++r) {
    for (std::int64_t c = 0; c < l.out_width; ++c) {
      double exact = l.bias[static_cast<std::size_t>(c)];
      double magnitude = std::abs(exact);
      for (std::int64_t i = 0; i < l.in_width; ++i) {
        const double term = double(l.x[static_cast<std::size_t>(r * l.in_width + i)]) *
                            l.weight[static_cast<std::size_t>(i * l.out_width + c)];
        exact += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(found[static_cast<std::size_t>(r * l.out_width + c)], exact,
                  (0x1.01p-8 + double(l.in_width) * 0x1p-24) * magnitude);
    }
  }
}

TEST_P(TileProductTest, StaysWithinTheStatedError) {
  expect_stated_error(layer(), tiles::emulated_unit());
}

TEST_P(TileProductTest, TheProcessorsUnitStaysWithinIt) {
  const tiles::TileUnit* unit = tile_unit();
  if (unit == nullptr) GTEST_SKIP() << "needs a tile unit: " << reason_for_tile_unit();
  expect_stated_error(layer(), *unit);
}

TEST_P(TileProductTest, ARowHasTheSameBitsAloneAndOnAnyThreads) {
  const Layer l = layer();
  const std::vector<float> expected = l.forward(tiles::emulated_unit(), 0, l.rows);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_EQ(l.forward(tiles::emulated_unit(), 0, l.rows), expected);
  omp_set_num_threads(threads);
  const std::vector<float> last = l.forward(tiles::emulated_unit(), l.rows - 1, 1);
  EXPECT_EQ(last, std::vector<float>(expected.end() - l.out_width, expected.end()));
}

TEST_P(TileProductTest, AmxGivesTheSameBits) {
  const tiles::UnitOffer& amx = tiles::amx_offer();
  if (amx.unit == nullptr) GTEST_SKIP() << "needs AMX: " << amx.reason;
  const Layer l = layer();
  EXPECT_EQ(l.forward(*amx.unit, 0, l.rows), l.forward(tiles::emulated_unit(), 0, l.rows));
}

INSTANTIATE_TEST_SUITE_P(Extents, TileProductTest,
                         testing::Values(std::array<std::int64_t, 3>{1, 1, 1},
                                         std::array<std::int64_t, 3>{5, 31, 17},
                                         std::array<std::int64_t, 3>{32, 256, 32},
                                         std::array<std::int64_t, 3>{45, 300, 50},
                                         std::array<std::int64_t, 3>{300, 64, 16}));

TEST(TileProduct, AWeightMayBeTransposed) {
  const Layer l(7, 40, 20);
  std::vector<float> transposed(l.weight.size());
  for (std::int64_t i = 0; i < 40; ++i) {
    for (std::int64_t j = 0; j < 20; ++j) {
      transposed[static_cast<std::size_t>(j * 40 + i)] =
          l.weight[static_cast<std::size_t>(i * 20 + j)];
    }
  }
  std::vector<float> out(7 * 20);
  TileProduct(40, 20, transposed.data(), true)
      .forward(tiles::emulated_unit(), 7, l.x.data(), l.bias.data(), out.data());
  EXPECT_EQ(out, l.forward(tiles::emulated_unit(), 0, 7));
}

}  // namespace
}  // namespace limelight::test
