#include "training/learning_rate.h"

#include <cmath>
#include <numbers>

namespace limelight {

double LearningRateSchedule::at(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  }
  if (step >= decay_steps) return minimum;
  const double progress =
      static_cast<double>(step - warmup_steps) / static_cast<double>(decay_steps - warmup_steps);
  return minimum + 0.5 * (1 + std::cos(std::numbers::pi * progress)) * (peak - minimum);
}

}  // namespace limelight
