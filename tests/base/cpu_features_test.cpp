#include "base/cpu_features.h"

#include <gtest/gtest.h>

namespace limelight::test {
namespace {

/// The hazard: tiles without a description of them.
TEST(CpuFeatures, OnednnIsCappedWhereThePalettesAreHiddenAndNowhereElse) {
  EXPECT_FALSE(must_cap_onednn({}));
  EXPECT_TRUE(must_cap_onednn({.tiles = true, .bf16 = true, .supported = true}));
  EXPECT_FALSE(must_cap_onednn({.tiles = true, .bf16 = true, .palettes = true}));
}

TEST(CpuFeatures, WhatIsEnabledIsReported) {
  for (const CpuFeature& feature : report_cpu_features()) {
    EXPECT_TRUE(feature.reported || !feature.enabled) << feature.name;
  }
}

}  // namespace
}  // namespace limelight::test
