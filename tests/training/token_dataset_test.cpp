#include "training/token_dataset.h"

#include <gtest/gtest.h>
#include <limelight/error.h>

#include <numeric>
#include <set>

namespace limelight {
namespace {

std::vector<std::int32_t> counting(int count) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

TEST(TokenDataset, TargetsAreTheFollowingTokens) {
  const TokenDataset dataset(counting(100), -1);
  Batch batch;
  dataset.draw(1, 2, 5, 10, batch);
  ASSERT_EQ(batch.ids.size(), 50u);
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    EXPECT_EQ(batch.targets[i], batch.ids[i] + 1);
  }
}

TEST(TokenDataset, ADrawDependsOnItsArgumentsAlone) {
  const TokenDataset dataset(counting(1000), -1);
  Batch a, b, c;
  dataset.draw(7, 3, 4, 16, a);
  dataset.draw(7, 4, 4, 16, b);
  dataset.draw(7, 3, 4, 16, c);
  EXPECT_EQ(a.ids, c.ids);
  EXPECT_NE(a.ids, b.ids);
}

TEST(TokenDataset, WindowsReachBothEndsOfTheText) {
  const TokenDataset dataset(counting(12), -1);
  std::set<std::int32_t> starts;
  Batch batch;
  for (std::uint64_t i = 0; i < 200; ++i) {
    dataset.draw(1, i, 1, 10, batch);
    starts.insert(batch.ids[0]);
  }
  EXPECT_EQ(starts, (std::set<std::int32_t>{0, 1}));
}

TEST(TokenDataset, WindowsBeginWhereDocumentsBegin) {
  // Documents 1 2 3 | 4 5 | 6 7 8 9, ended by 0.
  const TokenDataset dataset({1, 2, 3, 0, 4, 5, 0, 6, 7, 8, 9, 0}, 0);
  std::set<std::int32_t> starts;
  Batch batch;
  for (std::uint64_t i = 0; i < 200; ++i) {
    dataset.draw(1, i, 2, 3, batch);
    starts.insert(batch.ids[0]);
    starts.insert(batch.ids[3]);
  }
  EXPECT_EQ(starts, (std::set<std::int32_t>{1, 4, 6}));
}

TEST(TokenDataset, ATextShorterThanAWindowIsRefused) {
  const TokenDataset dataset(counting(10), -1);
  Batch batch;
  EXPECT_THROW(dataset.draw(1, 0, 1, 10, batch), Error);
  EXPECT_NO_THROW(dataset.draw(1, 0, 1, 9, batch));
}

TEST(TokenDataset, TheFingerprintSeesOneChangedToken) {
  auto tokens = counting(50);
  const auto before = TokenDataset(tokens, -1).fingerprint();
  tokens[30] ^= 1;
  EXPECT_NE(TokenDataset(tokens, -1).fingerprint(), before);
}

}  // namespace
}  // namespace limelight
