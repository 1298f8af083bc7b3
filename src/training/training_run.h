#pragma once

#include <limelight/result.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

#include "training/corpus.h"
#include "training/training_plan.h"

namespace limelight {

/// Told what a run does, as it does it.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void on_stage(const std::string& what) = 0;
  /// Once, before the first step. `first_step` is above 0 when the run was resumed.
  virtual void on_start(const TransformerConfig& config, std::size_t parameters,
                        const Corpus& corpus, std::int64_t first_step) = 0;
  virtual void on_step(std::int64_t step, const Trainer::StepResult& result) = 0;
  virtual void on_validation(std::int64_t step, double loss) = 0;
  virtual void on_checkpoint(std::int64_t step) = 0;
};

/// How a run ended.
struct TrainingOutcome {
  std::int64_t steps_done = 0;
  double validation_loss = 0;
  bool interrupted = false;
};

/// Runs a plan into `folder`, which then holds a model (config.json, tokenizer.json,
/// model.safetensors, ...), the plan (training_plan.json) and the state to resume from. With
/// `resume` it goes on from the state found there, if there is one. When `stop` becomes true it
/// ends after the current step with a checkpoint. Whenever the process is killed, the folder holds
/// its last checkpoint whole.
Result<TrainingOutcome> run_training(const TrainingPlan& plan, const std::filesystem::path& folder,
                                     bool resume, const std::atomic<bool>& stop,
                                     TrainingObserver& observer);

/// The file in `folder` that holds the plan.
std::filesystem::path training_plan_path(const std::filesystem::path& folder);

}  // namespace limelight
