#include "checkpoint/closest_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace limelight {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ClosestNames, PutsTheNearestFirst) {
  EXPECT_THAT(closest_names("wte.wieght", {"wpe.weight", "wte.weight", "ln_f.bias"}, 2),
              ElementsAre("wte.weight", "wpe.weight"));
  EXPECT_THAT(closest_names("transformer.h.0.attn.c_attn.weight",
                            {"h.0.attn.c_attn.bias", "h.0.attn.c_attn.weight", "wte.weight"}, 1),
              ElementsAre("h.0.attn.c_attn.weight"));
}

TEST(ClosestNames, TiesAreAlphabetical) {
  EXPECT_THAT(closest_names("a", {"d", "c", "b"}), ElementsAre("b", "c", "d"));
}

TEST(ClosestNames, HasNothingToSayOfNothingOrOfMonsters) {
  EXPECT_THAT(closest_names("a", {}), IsEmpty());
  EXPECT_THAT(closest_names(std::string(10'000'000, 'a'), {"a"}), IsEmpty());
  EXPECT_THAT(closest_names("a", {std::string(10'000'000, 'a')}), IsEmpty());
}

}  // namespace
}  // namespace limelight
