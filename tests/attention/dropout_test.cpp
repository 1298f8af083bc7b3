#include "attention/dropout.h"

#include <gtest/gtest.h>

namespace limelight {
namespace {

// The known answers that Random123, the authors' library, is tested with.
TEST(Philox, KnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(DropoutMask, DropsTheShareAskedFor) {
  for (const double probability : {0.0, 0.1, 0.5, 0.9}) {
    const DropoutMask mask(Dropout{probability, 123, 4});
    int dropped = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) dropped += mask.factor(i % 7, i / 100, i % 100) == 0;
    EXPECT_NEAR(double(dropped) / kDraws, probability, 0.015);
  }
}

TEST(DropoutMask, KeptWeightsAreScaledUp) {
  const DropoutMask mask(Dropout{0.2});
  for (int key = 0; key < 50; ++key) {
    const double factor = mask.factor(0, 0, key);
    EXPECT_TRUE(factor == 0 || factor == 1 / (1 - 0.2)) << factor;
  }
}

}  // namespace
}  // namespace limelight
