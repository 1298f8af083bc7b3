// Tile units: what the emulated one computes is what Intel documents of TDPBF16PS, what the
// processor's compute (where there are any) is what is documented of them, and neither is offered
// unproven.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/instruction_set.h"
#include "base/tiles/unit_offer.h"

namespace limelight::test {
namespace {

using tiles::kColumns;
using tiles::kDepth;
using tiles::kRows;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::min();

/// A product of at most two by two tiles, and all that it reads.
struct Operands {
  Operands(int rows, int columns, std::int64_t depth)
      : row_tiles(rows),
        column_tiles(columns),
        depth_tiles(depth),
        left(static_cast<std::size_t>(rows * kRows * depth * kDepth)),
        right(static_cast<std::size_t>(columns * depth * tiles::kTileElements)),
        sums(static_cast<std::size_t>(rows * kRows * columns * kColumns)) {}

  bfloat16& left_at(std::int64_t row, std::int64_t d) {
    return left[static_cast<std::size_t>(row * depth_tiles * kDepth + d)];
  }
  bfloat16& right_at(std::int64_t d, std::int64_t column) {
    const std::int64_t tile = column / kColumns * depth_tiles + d / kDepth;
    return right[static_cast<std::size_t>(tile * tiles::kTileElements +
                                          tiles::packed_index(d % kDepth, column % kColumns))];
  }
  float& sum_at(std::int64_t row, std::int64_t column) {
    return sums[static_cast<std::size_t>(row * column_tiles * kColumns + column)];
  }
  void fill(std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (auto* operand : {&left, &right}) {
      for (bfloat16& x : *operand) x = bfloat16(normal(random));
    }
    for (float& x : sums) x = normal(random);
  }
  std::vector<float> product(const tiles::TileUnit& unit, bool accumulate) const {
    std::vector<float> result = sums;
    tiles::TileSession session(unit);
    session.multiply({row_tiles, column_tiles, depth_tiles, accumulate, left.data(),
                      depth_tiles * kDepth, right.data(), depth_tiles * tiles::kTileElements,
                      result.data(), column_tiles * kColumns});
    session.finish();
    return result;
  }

  int row_tiles, column_tiles;
  std::int64_t depth_tiles;
  std::vector<bfloat16> left, right;
  std::vector<float> sums;
};

/// One sum, from a row and a column of one tile of depth that are 0 but for what is given.
float emulated_sum(const std::vector<std::pair<float, float>>& factors, float before) {
  Operands operands(1, 1, 1);
  for (std::size_t d = 0; d < factors.size(); ++d) {
    operands.left_at(3, static_cast<std::int64_t>(d)) = bfloat16(factors[d].first);
    operands.right_at(static_cast<std::int64_t>(d), 5) = bfloat16(factors[d].second);
  }
  operands.sum_at(3, 5) = before;
  return operands.product(tiles::emulated_unit(), true)[3 * kColumns + 5];
}

TEST(EmulatedTiles, MultiplyAsTheDefinitionDoes) {
  std::mt19937 random(1);
  for (const int rows : {1, 2}) {
    for (const int columns : {1, 2}) {
      for (const std::int64_t depth : {1, 2, 5}) {
        Operands operands(rows, columns, depth);
        operands.fill(random);
        for (const bool accumulate : {false, true}) {
          const std::vector<float> found = operands.product(tiles::emulated_unit(), accumulate);
          for (std::int64_t r = 0; r < rows * kRows; ++r) {
            for (std::int64_t c = 0; c < columns * kColumns; ++c) {
              double exact = accumulate ? operands.sum_at(r, c) : 0;
              for (std::int64_t d = 0; d < depth * kDepth; ++d) {
                exact += double(float(operands.left_at(r, d))) * float(operands.right_at(d, c));
              }
              EXPECT_NEAR(found[static_cast<std::size_t>(r * columns * kColumns + c)], exact, 1e-4);
            }
          }
        }
      }
    }
  }
}

// The order that the manual gives: even and odd depths apart, then both together, then the sum.
TEST(EmulatedTiles, AddEvenAndOddDepthsApart) {
  const float big = 0x1p25f;
  EXPECT_EQ(emulated_sum({{big, 1}, {1, 1}, {-big, 1}, {1, 1}}, 0), 2) << "1 never meets big";
  EXPECT_EQ(emulated_sum({{big, 1}, {0, 0}, {1, 1}, {0, 0}, {-big, 1}}, 0), 0) << "1 is lost in it";
  EXPECT_EQ(emulated_sum({{big, 1}, {-big, 1}}, 1), 1) << "the sum comes last";
  EXPECT_EQ(emulated_sum({{1, 1}, {1, 1}}, 0x1p25f), 0x1p25f) << "2 is half a unit: to even";
}

TEST(EmulatedTiles, MultiplyAndAddInOneRounding) {
  // 1.0078125^2 = 1 + 2^-6 + 2^-14: with 2^-24 behind it, the sum needs more than f32 has.
  const float x = 1.0078125f;
  EXPECT_EQ(emulated_sum({{-1, 1}, {0, 0}, {x, x}}, 0), x * x - 1);
  EXPECT_EQ(emulated_sum({{0x1p-24f, 1}, {0, 0}, {x, x}}, 0), std::fma(x, x, 0x1p-24f));
}

TEST(EmulatedTiles, DenormalsAreZero) {
  EXPECT_EQ(emulated_sum({{kSmallest / 2, 0x1p100f}}, 0), 0) << "as an input";
  EXPECT_EQ(emulated_sum({{0x1p-70f, 0x1p-70f}}, 0), 0) << "as a product";
  EXPECT_EQ(emulated_sum({}, kSmallest / 2), 0) << "as a sum before";
  EXPECT_EQ(emulated_sum({{kSmallest, 1}}, 0), kSmallest);
  EXPECT_EQ(emulated_sum({{-kSmallest, 0.5f}, {-kSmallest, 0.5f}}, 0), 0) << "each on its own";
}

TEST(EmulatedTiles, NanReachesItsOwnSumsAlone) {
  Operands operands(1, 1, 1);
  operands.left_at(3, 7) = bfloat16(kNan);
  const std::vector<float> found = operands.product(tiles::emulated_unit(), false);
  for (std::int64_t i = 0; i < kRows * kColumns; ++i) {
    EXPECT_EQ(std::isnan(found[static_cast<std::size_t>(i)]), i / kColumns == 3);
  }
}

/// body(operands, accumulate) for products of all extents, some of them with denormals.
template <class Body>
void for_random_products(const Body& body) {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    Operands operands(1 + i % 2, 1 + i / 2 % 2, 1 + i % 5);
    operands.fill(random);
    if (i % 3 == 0) operands.left_at(i % kRows, 3) = bfloat16(kSmallest / 4);
    if (i % 3 == 1) operands.sum_at(i % kRows, 5) = -kSmallest / 4;
    body(operands, i % 2 == 0);
  }
}

TEST(AmxUnit, GivesTheBitsOfTheEmulatedOne) {
  const tiles::UnitOffer& offer = tiles::amx_offer();
  if (offer.unit == nullptr) GTEST_SKIP() << "needs AMX: " << offer.reason;
  for_random_products([&](const Operands& operands, bool accumulate) {
    EXPECT_EQ(operands.product(*offer.unit, accumulate),
              operands.product(tiles::emulated_unit(), accumulate));
  });
}

float flushed(float x) { return std::fabs(x) < kSmallest ? std::copysign(0.0f, x) : x; }

/// The sum at (row, column) by the definition of VDPBF16PS: pair after pair, the odd depth before
/// the even one, each in one rounding; denormals are 0.
float dot_of(Operands operands, std::int64_t row, std::int64_t column, bool accumulate) {
  float sum = accumulate ? flushed(operands.sum_at(row, column)) : 0;
  const auto add = [&](std::int64_t d) {
    sum = flushed(std::fma(flushed(static_cast<float>(operands.left_at(row, d))),
                           flushed(static_cast<float>(operands.right_at(d, column))), sum));
  };
  for (std::int64_t d = 0; d < operands.depth_tiles * kDepth; d += 2) {
    add(d + 1);
    add(d);
  }
  return sum;
}

TEST(DotUnit, GivesTheBitsThatAreDocumented) {
  const tiles::UnitOffer& offer = tiles::dot_offer();
  if (offer.unit == nullptr) GTEST_SKIP() << "needs AVX512-BF16: " << offer.reason;
  for_random_products([&](const Operands& operands, bool accumulate) {
    const std::vector<float> found = operands.product(*offer.unit, accumulate);
    const std::int64_t columns = operands.column_tiles * kColumns;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      ASSERT_EQ(found[i], dot_of(operands, at / columns, at % columns, accumulate)) << at;
    }
  });
}

TEST(UnitOffer, TheCheckedProductFindsAWrongUnit) {
  EXPECT_TRUE(tiles::multiplies_rightly(tiles::emulated_unit()));
  tiles::TileUnit wrong = tiles::emulated_unit();
  wrong.finish = [](const tiles::SumTiles& sums) {
    tiles::emulated_unit().finish(sums);
    sums.data[sums.stride * 17 + 21] += 1;
  };
  EXPECT_FALSE(tiles::multiplies_rightly(wrong));
  wrong.finish = [](const tiles::SumTiles&) {};
  EXPECT_FALSE(tiles::multiplies_rightly(wrong));
}

TEST(UnitOffer, SaysWhatIsMissing) {
  const auto missing = [](const AmxReport& amx) { return tiles::missing_for_amx(amx); };
  EXPECT_NE(missing({}).find("no AMX-BF16"), std::string::npos);
  EXPECT_NE(missing({.tiles = true}).find("no AMX-BF16"), std::string::npos);
  EXPECT_NE(missing({.tiles = true, .bf16 = true}).find("kernel"), std::string::npos);
  // Hidden palettes are no hindrance.
  EXPECT_EQ(missing({.tiles = true, .bf16 = true, .supported = true}), "");

  EXPECT_NE(tiles::missing_for_dots({}).find("no AVX512-BF16"), std::string::npos);
  EXPECT_NE(tiles::missing_for_dots({{"avx512_bf16", true, false}}).find("registers"),
            std::string::npos);
  EXPECT_EQ(tiles::missing_for_dots({{"avx512f", true, true}, {"avx512_bf16", true, true}}), "");
}

TEST(InstructionSet, TileUnitsAreAvailableWhereTheyAreOffered) {
  const std::vector<std::string> available = available_instruction_sets();
  const auto is_available = [&](const char* name) {
    return std::count(available.begin(), available.end(), name) == 1;
  };
  EXPECT_EQ(is_available("amx"), tiles::amx_offer().unit != nullptr);
  EXPECT_EQ(is_available("avx512_bf16"), tiles::dot_offer().unit != nullptr);
  const bool has_unit = instruction_set() == "amx" || instruction_set() == "avx512_bf16";
  EXPECT_EQ(tile_unit() != nullptr, has_unit);
  EXPECT_EQ(vector_instruction_set() == instruction_set(), !has_unit);
}

TEST(InstructionSet, ATestMayUseAnotherUnit) {
  const tiles::TileUnit* before = tile_unit();
  {
    const TileUnitForTest emulated(&tiles::emulated_unit());
    EXPECT_EQ(tile_unit(), &tiles::emulated_unit());
  }
  EXPECT_EQ(tile_unit(), before);
}

}  // namespace
}  // namespace limelight::test
