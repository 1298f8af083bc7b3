#pragma once

#include <chrono>
#include <string>

#include "training/training_run.h"

namespace limelight::cli {

/// Shows a run on stderr: a bar that moves on a terminal, a line now and then elsewhere.
class TrainProgress : public TrainingObserver {
 public:
  explicit TrainProgress(const TrainingPlan& plan);

  void on_stage(const std::string& what) override;
  void on_start(const TransformerConfig& config, std::size_t parameters, const Corpus& corpus,
                std::int64_t first_step) override;
  void on_step(std::int64_t step, const Trainer::StepResult& result) override;
  void on_validation(std::int64_t step, double loss) override;
  void on_checkpoint(std::int64_t step) override;

  /// Tokens learned from per second, since the first step.
  double tokens_per_second() const;

 private:
  using Clock = std::chrono::steady_clock;

  std::string status_line(std::int64_t step) const;
  /// A line that stays, above the bar.
  void say(const std::string& line);

  const TrainingPlan& plan_;
  const bool on_terminal_;
  std::int64_t first_step_ = 0;
  std::int64_t steps_done_ = 0;
  double smoothed_loss_ = 0;
  double learning_rate_ = 0;
  Clock::time_point start_;
  Clock::time_point shown_;
};

}  // namespace limelight::cli
