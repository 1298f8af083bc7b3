#include "attention/memory_overlap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace limelight {
namespace {

ConstTensorView strided(const std::byte* data, DType dtype, std::vector<std::int64_t> sizes,
                        std::vector<std::int64_t> strides) {
  return {data, dtype, sizes, strides};
}

std::multiset<std::intptr_t> bytes_of(ConstTensorView view) {
  std::multiset<std::intptr_t> bytes;
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  for (std::int64_t i = 0; i < view.elements(); ++i) {
    std::int64_t rest = i;
    std::int64_t offset = 0;
    for (int axis = view.rank() - 1; axis >= 0; --axis) {
      offset += rest % view.size(axis) * view.stride(axis);
      rest /= view.size(axis);
    }
    for (std::int64_t byte = 0; byte < width; ++byte) {
      bytes.insert(reinterpret_cast<std::intptr_t>(view.raw()) + offset * width + byte);
    }
  }
  return bytes;
}

TEST(ViewsOverlap, AgreesWithListingEveryByte) {
  std::mt19937 random(3);
  const auto below = [&](int limit) { return static_cast<std::int64_t>(random() % limit); };
  std::vector<std::byte> memory(1 << 12);
  int overlapping = 0;
  constexpr int kDraws = 3000;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto view = [&] {
      const DType dtype = below(2) ? DType::f32 : DType::bf16;
      std::vector<std::int64_t> sizes, strides;
      for (std::int64_t axis = below(4); axis >= 0; --axis) {
        sizes.push_back(below(8) ? 1 + below(3) : 0);
        strides.push_back(below(3) ? below(20) : 3 * below(9));
      }
      return strided(memory.data() + 4 * below(30), dtype, sizes, strides);
    };
    const ConstTensorView a = view();
    const ConstTensorView b = view();
    const auto bytes_a = bytes_of(a);
    bool expected = false;
    for (const std::intptr_t byte : bytes_of(b)) expected = expected || bytes_a.contains(byte);
    ASSERT_EQ(views_overlap(a, b), expected) << a.shape_string() << " " << b.shape_string();
    overlapping += expected;
  }
  EXPECT_GT(overlapping, kDraws / 10);
  EXPECT_LT(overlapping, kDraws * 8 / 10);
}

TEST(ViewsOverlap, TheColumnsOfAPackedBufferAreApart) {
  constexpr std::int64_t kWidth = 192;
  const auto column = [&](int i, std::int64_t head_dim) {
    return strided(reinterpret_cast<const std::byte*>(std::uintptr_t{4096} + i * kWidth * 4),
                   DType::f32, {16, 6, 256, head_dim}, {256 * 3 * kWidth, 32, 3 * kWidth, 1});
  };
  EXPECT_FALSE(views_overlap(column(0, 32), column(1, 32)));
  EXPECT_FALSE(views_overlap(column(2, 32), column(0, 32)));
  EXPECT_TRUE(views_overlap(column(0, 33), column(1, 32)));
  EXPECT_TRUE(views_overlap(column(1, 32), column(1, 32)));
}

TEST(OverlapsItself, NeverMissesAnOverlap) {
  std::mt19937 random(5);
  const auto below = [&](int limit) { return static_cast<std::int64_t>(random() % limit); };
  std::vector<std::byte> memory(1 << 12);
  for (int draw = 0; draw < 3000; ++draw) {
    const ConstTensorView view = strided(memory.data(), DType::f32, {below(4), below(4), below(4)},
                                         {below(16), below(16), below(5)});
    const auto bytes = bytes_of(view);
    const std::set<std::intptr_t> distinct(bytes.begin(), bytes.end());
    if (distinct.size() < bytes.size()) {
      EXPECT_TRUE(overlaps_itself(view));
    }
  }
  EXPECT_FALSE(overlaps_itself(strided(memory.data(), DType::f32, {2, 3, 4}, {4, 8, 1})));
}

}  // namespace
}  // namespace limelight
