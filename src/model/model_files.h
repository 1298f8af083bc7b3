#pragma once

#include <limelight/result.h>
#include <limelight/tokenizer.h>

#include <filesystem>
#include <memory>

#include "model/transformer.h"

namespace limelight {

/// The special token between documents, where a vocabulary has one.
inline constexpr const char* kEndOfText = "<|endoftext|>";

/// A model as a folder holds it: config.json, tokenizer.json, model.safetensors, with Hugging
/// Face's names.
struct LoadedModel {
  Transformer transformer;
  Tokenizer tokenizer;
};

/// Opens a folder. Fails with one line that names the file and what is wrong with it.
Result<LoadedModel> load_model_folder(const std::filesystem::path& folder);

/// The transformer alone, from config.json and model.safetensors.
Result<Transformer> load_transformer(const std::filesystem::path& folder);

/// Writes a folder that opens here and in Hugging Face transformers. Each file is replaced
/// atomically.
Status write_model_folder(const std::filesystem::path& folder, const Transformer& transformer,
                          const Tokenizer& tokenizer);

}  // namespace limelight
