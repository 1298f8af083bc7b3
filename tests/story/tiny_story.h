#pragma once

#include "model/model_files.h"
#include "model/tiny_model.h"
#include "story/story.h"

namespace limelight::test {

/// A model with random weights, and a tokenizer that knows a few words; a window of 48 tokens.
inline LoadedModel tiny_loaded_model(std::int64_t layers = 2, std::int64_t heads = 2) {
  Tokenizer::TrainingOptions options;
  options.vocab_size = 300;
  Tokenizer tokenizer =
      std::move(Tokenizer::train("the lamp gave light and the bag was light the lamp", options))
          .value();
  TransformerConfig config = kTinyConfig;
  config.vocab_size = tokenizer.vocab_size();
  config.context_length = 48;
  config.num_layers = layers;
  config.num_heads = heads;
  return {tiny_model(config), std::move(tokenizer)};
}

inline Story tiny_story(const LoadedModel& model, StoryRequest request) {
  return std::move(tell_story(model, request, std::vector<std::string>{"light"})).value();
}

}  // namespace limelight::test
