#pragma once

#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "model/parameters.h"

namespace limelight {

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch computes it:
///   parameter -= rate * decay * parameter                   (matrices only)
///   m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2
///   parameter -= rate / (1 - beta_1^t) * m / (sqrt(v / (1 - beta_2^t)) + epsilon)
struct AdamWSettings {
  double beta_1 = 0.9;
  double beta_2 = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.1;
};

class AdamW {
 public:
  AdamW(const ParameterLayout& layout, const AdamWSettings& settings);

  /// One update. `gradients` are first multiplied by `gradient_scale` (how clipping is done).
  /// The same bits whatever the number of threads.
  void update(std::span<float> parameters, std::span<const float> gradients, double gradient_scale,
              double learning_rate);

  std::int64_t updates() const { return updates_; }

  /// Everything that an update depends on besides its arguments; to be saved and restored.
  std::span<float> first_moment() { return first_moment_.span(); }
  std::span<float> second_moment() { return second_moment_.span(); }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  const ParameterLayout& layout_;
  AdamWSettings settings_;
  std::int64_t updates_ = 0;
  AlignedBuffer<float> first_moment_;
  AlignedBuffer<float> second_moment_;
};

/// sqrt of the sum of squares, in double, summed in an order fixed by the size alone.
double global_norm(std::span<const float> values);

}  // namespace limelight
