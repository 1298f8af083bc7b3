#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/aligned_buffer.h"
#include "model/transformer.h"
#include "training/adamw.h"
#include "training/learning_rate.h"
#include "training/token_dataset.h"

namespace limelight {

struct OptimizerSettings {
  AdamWSettings adamw;
  LearningRateSchedule learning_rate;
  double gradient_clip = 1.0;  ///< largest global norm; 0 for no clipping
};

/// Trains a transformer step by step. The same bits whatever the number of threads.
class Trainer {
 public:
  struct StepResult {
    double loss;           ///< mean over all tokens of the step, in nats, before the update
    double gradient_norm;  ///< before clipping
    double learning_rate;
  };

  /// `model` must outlive the trainer.
  Trainer(Transformer& model, const OptimizerSettings& settings);

  /// One update from `accumulate` batches whose gradients are averaged; `next_batch(i, batch)`
  /// fills the i-th. All must have the same size.
  StepResult step(std::int64_t accumulate,
                  const std::function<void(std::int64_t, Batch&)>& next_batch);

  /// Mean loss of a batch, in nats, without learning from it.
  double evaluate(const Batch& batch);

  /// ADDS to gradients() the gradient of scale * (mean loss of the batch); returns the mean loss.
  double accumulate_gradients(const Batch& batch, double scale);

  std::span<float> gradients() { return gradients_.span(); }
  AdamW& optimizer() { return optimizer_; }
  std::int64_t steps_done() const { return optimizer_.updates(); }

 private:
  /// Runs the model; logits_ then holds the logits.
  void forward(const Batch& batch);
  double mean_loss(const Batch& batch, float grad_scale, float* grad_logits);

  Transformer& model_;
  OptimizerSettings settings_;
  AdamW optimizer_;
  AlignedBuffer<float> gradients_;
  Batch batch_;
  std::unique_ptr<Activations> activations_;
  AlignedBuffer<float> logits_;  ///< [tokens, vocab_size]; becomes their gradient in place
  AlignedBuffer<float> losses_;  ///< [tokens]
};

}  // namespace limelight
