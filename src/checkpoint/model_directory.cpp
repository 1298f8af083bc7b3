#include "checkpoint/model_directory.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/atomic_file.h"
#include "base/printable.h"

namespace limelight {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && !fs::is_directory(path, ignored);
}

/// What a folder without model.safetensors holds instead, and what to do about it.
std::string instead_of_weights(const fs::path& folder) {
  if (is_file(folder / "model.safetensors.index.json")) {
    return "the weights are split over several files; join them into one first";
  }
  for (const char* other : {"pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"}) {
    if (is_file(folder / other)) {
      return fmt::format("found {} instead; convert it to safetensors", other);
    }
  }
  return "download it, or give a model's folder";
}

Failure missing(const fs::path& folder, const char* file, std::string_view advice) {
  return Failure{
      fmt::format("{}: expected a file {}, found none; {}", printable_path(folder), file, advice)};
}

Result<Gpt2Config> read_config(const fs::path& folder) {
  const fs::path path = folder / kConfigFile;
  if (!is_file(path)) return missing(folder, kConfigFile, "give a model's folder");
  const auto text = read_whole_file(path, kMaxConfigBytes);
  if (!text) return text.failure();
  return parse_gpt2_config(*text, path.string());
}

}  // namespace

Result<ModelDirectory> open_model_directory(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return Failure{fmt::format("{}: expected a folder with {} and {}, found {}; check the path",
                               printable_path(folder), kConfigFile, kWeightsFile,
                               fs::exists(folder, ignored) ? "a file" : "nothing")};
  }
  auto config = read_config(folder);
  if (!config) return config.failure();
  if (!is_file(folder / kWeightsFile)) {
    return missing(folder, kWeightsFile, instead_of_weights(folder));
  }
  auto weights = SafetensorsFile::open(folder / kWeightsFile);
  if (!weights) return weights.failure();
  return ModelDirectory{folder, std::move(*config), std::move(*weights)};
}

std::string tokenizer_config_json(std::int64_t model_max_length,
                                  const std::optional<std::string>& end_of_text) {
  if (model_max_length < 1) {
    throw Error(fmt::format("model_max_length: expected at least 1, found {}", model_max_length));
  }
  // PreTrainedTokenizerFast takes tokenizer.json as it is; GPT2TokenizerFast would add
  // <|endoftext|> to a vocabulary that lacks it, with an id that the model has no embedding for.
  nlohmann::ordered_json document = {
      {"tokenizer_class", "PreTrainedTokenizerFast"},
      {"model_max_length", model_max_length},
      {"clean_up_tokenization_spaces", false},
  };
  if (end_of_text) {
    document["bos_token"] = *end_of_text;
    document["eos_token"] = *end_of_text;
  }
  try {
    return document.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("end_of_text: expected UTF-8, found '{}'", printable(*end_of_text)));
  }
}

}  // namespace limelight
