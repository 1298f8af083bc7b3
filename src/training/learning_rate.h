#pragma once

#include <cstdint>

namespace limelight {

/// Linear warm-up, then half a cosine down to the minimum (Loshchilov and Hutter 2017), then
/// constant.
struct LearningRateSchedule {
  double peak = 1e-3;
  double minimum = 1e-4;
  std::int64_t warmup_steps = 100;
  std::int64_t decay_steps = 1000;  ///< the step at which the minimum is reached

  /// The rate of step `step`, counted from 0.
  double at(std::int64_t step) const;
};

}  // namespace limelight
