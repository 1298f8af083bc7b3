#include "model/model_files.h"

#include <fmt/format.h>

#include <optional>

#include "base/atomic_file.h"
#include "checkpoint/model_directory.h"
#include "model/parameter_file.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

// What Hugging Face's GPT2LMHeadModel puts before the names of all but lm_head.
constexpr const char* kPrefix = "transformer.";

TransformerConfig transformer_config(const Gpt2Config& config) {
  return {.vocab_size = config.vocab_size,
          .context_length = config.context_length,
          .num_layers = config.num_layers,
          .num_heads = config.num_heads,
          .width = config.width,
          .inner_width = config.inner_width,
          .layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon),
          .gelu = uses_tanh_gelu(config) ? GeluForm::tanh : GeluForm::exact,
          .tied_output = config.tied_output,
          .bias = config.bias};
}

Gpt2Config gpt2_config(const TransformerConfig& config) {
  Gpt2Config out;
  out.vocab_size = config.vocab_size;
  out.context_length = config.context_length;
  out.num_layers = config.num_layers;
  out.num_heads = config.num_heads;
  out.width = config.width;
  out.inner_width = config.inner_width;
  out.layer_norm_epsilon = config.layer_norm_epsilon;
  out.activation = config.gelu == GeluForm::exact ? "gelu" : "gelu_new";
  out.tied_output = config.tied_output;
  out.bias = config.bias;
  return out;
}

}  // namespace

Result<Transformer> load_transformer(const fs::path& folder) {
  auto directory = open_model_directory(folder);
  if (!directory) return directory.failure();
  const std::string weights_name = (folder / kWeightsFile).string();
  Transformer transformer(transformer_config(directory->config));
  if (Status read = read_parameters(directory->weights, weights_name, transformer.config(),
                                    transformer.layout(), transformer.parameters());
      !read) {
    return read.failure();
  }
  return transformer;
}

Result<LoadedModel> load_model_folder(const fs::path& folder) {
  auto transformer = load_transformer(folder);
  if (!transformer) return transformer.failure();
  const fs::path tokenizer_name = folder / kTokenizerFile;
  auto tokenizer = Tokenizer::from_file(tokenizer_name);
  if (!tokenizer) return tokenizer.failure();
  if (tokenizer->vocab_size() > transformer->config().vocab_size) {
    return Failure{fmt::format(
        "{}: has {} tokens, expected at most the {} of config.json; the files do not belong "
        "together",
        tokenizer_name.string(), tokenizer->vocab_size(), transformer->config().vocab_size)};
  }
  return LoadedModel{std::move(*transformer), std::move(*tokenizer)};
}

Status write_model_folder(const fs::path& folder, const Transformer& transformer,
                          const Tokenizer& tokenizer) {
  const TransformerConfig& config = transformer.config();
  Gpt2SpecialIds special;
  std::optional<std::string> mark;
  if (const TokenId id = tokenizer.special_token(kEndOfText); id >= 0) {
    special = {.bos = id, .eos = id};
    mark = kEndOfText;
  }
  std::vector<NamedTensor> tensors;
  for (const ParameterEntry& entry : transformer.layout().entries()) {
    const std::string prefix = entry.name == "lm_head.weight" ? "" : kPrefix;
    tensors.push_back(
        {prefix + entry.name,
         ConstTensorView(transformer.parameters().data() + entry.offset, DType::f32, entry.shape)});
  }
  // Weights last: a folder that has them is complete.
  for (const auto& [name, text] :
       {std::pair{kConfigFile, to_json(gpt2_config(config), special)},
        {kTokenizerFile, tokenizer.to_json()},
        {kTokenizerConfigFile, tokenizer_config_json(config.context_length, mark)}}) {
    if (Status saved = write_file_atomically(folder / name, text); !saved) return saved;
  }
  return write_safetensors(folder / kWeightsFile, tensors, {{"format", "pt"}});
}

}  // namespace limelight
