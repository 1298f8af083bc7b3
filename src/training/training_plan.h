#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/transformer_config.h"
#include "training/trainer.h"

namespace limelight {

/// Everything that decides what a training run computes. Two runs of one plan end with the same
/// bits.
struct TrainingPlan {
  // Text.
  std::vector<std::string> text_files;
  std::string sense_grammar;              ///< a folder as data/senses; "" for none
  std::int64_t sense_bytes = 32'000'000;  ///< text generated from it
  std::string validation_file;            ///< "" takes the end of the text instead
  double validation_fraction = 0.02;      ///< of the text, when there is no file
  std::string tokenizer_file;             ///< "" learns one from the text
  std::int64_t vocab_size = 4096;         ///< of the tokenizer that is learned

  // Model. vocab_size is the tokenizer's.
  std::int64_t context_length = 256;
  std::int64_t num_layers = 4;
  std::int64_t num_heads = 6;
  std::int64_t width = 192;
  GeluForm gelu = GeluForm::tanh;
  bool tied_output = true;
  bool bias = true;

  // Learning.
  std::int64_t steps = 1000;
  std::int64_t batch_size = 16;  ///< windows of context_length tokens
  std::int64_t accumulate = 1;   ///< batches a step
  OptimizerSettings optimizer;
  std::uint64_t seed = 1;

  // Looking on.
  std::int64_t validate_every = 250;
  std::int64_t validation_batches = 8;
  std::int64_t checkpoint_every = 250;

  /// What is wrong with the numbers, if anything: one line naming the option.
  Status check() const;
  TransformerConfig transformer_config(std::int64_t tokenizer_size) const;
};

std::string to_json(const TrainingPlan& plan);
/// `name` appears in messages.
Result<TrainingPlan> parse_training_plan(std::string_view json, std::string_view name);

}  // namespace limelight
