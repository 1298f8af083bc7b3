#include <gtest/gtest.h>
#include <limelight/dtype.h>

#include <cmath>
#include <limits>

namespace limelight {
namespace {

TEST(Float16, EveryBitPatternSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    float16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(float16(value))));
    } else {
      EXPECT_EQ(float16(value).bits, bits);
    }
  }
}

TEST(Float16, RoundsToNearestEvenAtEveryMidpoint) {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    float16 low, high;
    low.bits = static_cast<std::uint16_t>(bits);
    high.bits = static_cast<std::uint16_t>(bits + 1);
    const float middle = (static_cast<float>(low) + static_cast<float>(high)) / 2;
    EXPECT_EQ(float16(middle).bits, bits + (bits & 1)) << bits;
    EXPECT_EQ(float16(std::nextafter(middle, 0.0f)).bits, bits);
    EXPECT_EQ(float16(std::nextafter(middle, 1e9f)).bits, bits + 1);
  }
}

TEST(Float16, OverflowsToInfinity) {
  EXPECT_EQ(float16(65519.99f).bits, 0x7bff);
  EXPECT_EQ(float16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(float16(-std::numeric_limits<float>::infinity()).bits, 0xfc00);
}

TEST(BFloat16, EveryBitPatternSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    bfloat16 brain;
    brain.bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(brain);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(value))));
    } else {
      EXPECT_EQ(bfloat16(value).bits, bits);
    }
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(bfloat16(1.0f + 0x1p-8f).bits, 0x3f80);            // a tie: down to even
  EXPECT_EQ(bfloat16(1.0f + 0x1p-7f + 0x1p-8f).bits, 0x3f82);  // a tie: up to even
  EXPECT_EQ(bfloat16(1.0f + 0x1p-8f + 0x1p-20f).bits, 0x3f81);
}

}  // namespace
}  // namespace limelight
