#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "checkpoint/gpt2_config.h"
#include "checkpoint/safetensors.h"

namespace limelight {

// A model as Hugging Face lays it out: a folder with these files.
inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kTokenizerFile = "tokenizer.json";
inline constexpr const char* kTokenizerConfigFile = "tokenizer_config.json";

/// An opened model folder: its config, its weights still in their file.
struct ModelDirectory {
  std::filesystem::path folder;
  Gpt2Config config;
  SafetensorsFile weights;
};

/// Opens config.json and model.safetensors of `folder`, untrusted. Where one is missing the message
/// says which, and what lies there instead when that is known (weights in another form, in several
/// files). Whether the weights have the config's names and shapes is for the model to check.
Result<ModelDirectory> open_model_directory(const std::filesystem::path& folder);

/// The text of a tokenizer_config.json with which transformers' AutoTokenizer opens the
/// tokenizer.json beside it exactly as it is written there: no token added, no space cleaned away.
/// `end_of_text` is the token that begins and ends texts, where the vocabulary has one. Throws
/// Error when model_max_length is below 1 or end_of_text is not UTF-8.
std::string tokenizer_config_json(std::int64_t model_max_length,
                                  const std::optional<std::string>& end_of_text);

}  // namespace limelight
