#include "attention/dropout.h"

#include <gtest/gtest.h>
#include <limelight/attention.h>

#include <vector>

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

// Equal scores and values that are rows of the identity show each factor: out[i][j] is factor_j /
// (number of keys), and so is grad_value[j][i] where grad_out has rows of the identity.
TEST(DropoutMask, FusedKernelsDrawTheSameFactors) {
  constexpr std::int64_t kBatch = 2, kHeads = 3, kQueries = 5, kKeys = 300;
  const std::vector<float> zeros(kBatch * kHeads * kKeys * 4);
  std::vector<float> identity(kBatch * kHeads * kKeys * kKeys);
  for (std::size_t i = 0; i < identity.size(); i += kKeys) identity[i + (i / kKeys) % kKeys] = 1;
  std::vector<float> unit_rows(kBatch * kHeads * kQueries * kKeys);
  for (std::size_t i = 0; i < unit_rows.size(); i += kKeys)
    unit_rows[i + (i / kKeys) % kQueries] = 1;
  std::vector<float> out(unit_rows.size());
  std::vector<float> lse(kBatch * kHeads * kQueries);
  std::vector<float> grad_value(identity.size());
  const auto query = ConstTensorView::of(zeros.data(), {kBatch, kHeads, kQueries, 4});
  const auto key = ConstTensorView::of(zeros.data(), {kBatch, kHeads, kKeys, 4});
  const auto value = ConstTensorView::of(identity.data(), {kBatch, kHeads, kKeys, kKeys});
  const auto out_view = TensorView::of(out.data(), {kBatch, kHeads, kQueries, kKeys});
  const auto lse_view = TensorView::of(lse.data(), {kBatch, kHeads, kQueries});
  for (const double probability : {0.1, 0.5, 0.9}) {
    AttentionOptions options;
    options.dropout = Dropout{probability, 0x123456789abcdefULL, 7};
    attention(query, key, value, out_view, options, lse_view);
    attention_backward(query, key, value, out_view, lse_view,
                       ConstTensorView::of(unit_rows.data(), {kBatch, kHeads, kQueries, kKeys}), {},
                       {}, TensorView::of(grad_value.data(), {kBatch, kHeads, kKeys, kKeys}),
                       options);
    const DropoutMask mask(*options.dropout);
    for (std::int64_t row = 0; row < kBatch * kHeads; ++row) {
      for (std::int64_t i = 0; i < kQueries; ++i) {
        for (std::int64_t j = 0; j < kKeys; ++j) {
          const double expected = mask.factor(row, i, j) / kKeys;
          ASSERT_NEAR(out[(row * kQueries + i) * kKeys + j], expected, expected * 1e-6) << j;
          ASSERT_NEAR(grad_value[(row * kKeys + j) * kKeys + i], expected, expected * 2e-6) << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace limelight
