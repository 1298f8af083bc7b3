#include "training/adamw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"

namespace limelight {
namespace {

// Elements that one piece of parallel work covers: the four streams of an update fit a core's L2.
constexpr std::int64_t kPiece = 1 << 14;

/// One update's constants, rounded to f32 once.
struct Coefficients {
  float gradient_scale, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2;
  float step_size;             ///< rate / (1 - beta_1^t)
  float inverse_correction_2;  ///< 1 / sqrt(1 - beta_2^t)
  float epsilon;
};

void update_piece(const Coefficients& c, float keep, std::int64_t count, const float* gradient,
                  float* parameter, float* m, float* v) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * c.gradient_scale;
    m[i] = c.beta_1 * m[i] + c.one_minus_beta_1 * g;
    v[i] = c.beta_2 * v[i] + c.one_minus_beta_2 * g * g;
    const float denominator = std::sqrt(v[i]) * c.inverse_correction_2 + c.epsilon;
    parameter[i] = parameter[i] * keep - c.step_size * (m[i] / denominator);
  }
}

}  // namespace

AdamW::AdamW(const ParameterLayout& layout, const AdamWSettings& settings)
    : layout_(layout),
      settings_(settings),
      first_moment_(layout.size()),
      second_moment_(layout.size()) {}

void AdamW::update(std::span<float> parameters, std::span<const float> gradients,
                   double gradient_scale, double learning_rate) {
  ++updates_;
  const double t = static_cast<double>(updates_);
  const Coefficients c = {
      .gradient_scale = static_cast<float>(gradient_scale),
      .beta_1 = static_cast<float>(settings_.beta_1),
      .one_minus_beta_1 = static_cast<float>(1 - settings_.beta_1),
      .beta_2 = static_cast<float>(settings_.beta_2),
      .one_minus_beta_2 = static_cast<float>(1 - settings_.beta_2),
      .step_size = static_cast<float>(learning_rate / (1 - std::pow(settings_.beta_1, t))),
      .inverse_correction_2 = static_cast<float>(1 / std::sqrt(1 - std::pow(settings_.beta_2, t))),
      .epsilon = static_cast<float>(settings_.epsilon),
  };
  for (const ParameterEntry& entry : layout_.entries()) {
    const double decay = entry.decayed() ? learning_rate * settings_.weight_decay : 0;
    const auto keep = static_cast<float>(1 - decay);
    const auto count = static_cast<std::int64_t>(entry.count);
    parallel_for(ceil_div(count, kPiece), [&](std::int64_t piece) {
      const std::int64_t begin = piece * kPiece;
      const std::size_t at = entry.offset + static_cast<std::size_t>(begin);
      update_piece(c, keep, std::min(kPiece, count - begin), &gradients[at], &parameters[at],
                   &first_moment_[at], &second_moment_[at]);
    });
  }
}

double global_norm(std::span<const float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<double> sums(static_cast<std::size_t>(ceil_div(count, kPiece)));
  parallel_for(static_cast<std::int64_t>(sums.size()), [&](std::int64_t piece) {
    const std::int64_t begin = piece * kPiece;
    const std::int64_t end = std::min(begin + kPiece, count);
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const double value = values[static_cast<std::size_t>(i)];
      sum += value * value;
    }
    sums[static_cast<std::size_t>(piece)] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

}  // namespace limelight
