#pragma once

#include <limelight/result.h>
#include <limelight/tokenizer.h>

#include <functional>
#include <string>

#include "model/model_files.h"
#include "training/token_dataset.h"
#include "training/training_plan.h"

namespace limelight {

/// What a run learns from: the tokenizer, and the tokens to learn and to validate on.
struct Corpus {
  Tokenizer tokenizer;
  TokenDataset training;
  TokenDataset validation;
  std::size_t text_bytes;
};

/// Reads or generates the plan's text, learns or reads its tokenizer, and encodes. `stage` is told
/// what begins ("learning 3840 merges ...").
Result<Corpus> prepare_corpus(const TrainingPlan& plan,
                              const std::function<void(const std::string&)>& stage);

}  // namespace limelight
