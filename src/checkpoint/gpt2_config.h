#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace limelight {

/// The shape of a GPT-2 model, as its config.json says (the file's own key behind each member).
struct Gpt2Config {
  std::int64_t vocab_size = 0;
  std::int64_t context_length = 0;  ///< n_positions: the most tokens it can see
  std::int64_t num_layers = 0;      ///< n_layer
  std::int64_t num_heads = 0;       ///< n_head; divides width
  std::int64_t width = 0;           ///< n_embd
  std::int64_t inner_width = 0;     ///< n_inner of the MLP; 4 * width where the file has none
  double layer_norm_epsilon = 1e-5;
  /// activation_function: "gelu_new" and "gelu_pytorch_tanh" are the tanh form, "gelu" the exact
  /// one.
  std::string activation = "gelu_new";
  bool tied_output = true;  ///< tie_word_embeddings: the logits use the token embedding
  /// bias: an extension. False: no linear layer and no norm has one; readers that do not know the
  /// key see biases that are missing, which they take for zero.
  bool bias = true;

  friend bool operator==(const Gpt2Config&, const Gpt2Config&) = default;
};

/// Whether the GELU of the model is the tanh form.
bool uses_tanh_gelu(const Gpt2Config& config);

/// The number of weights that such a model has. REQUIRES: check_gpt2_config(config).
std::int64_t count_parameters(const Gpt2Config& config);

/// Every size positive and sane, num_heads a divisor of width, the activation known, and at most
/// kMaxParameters weights in all: what a model can be allocated for. `name` is named in the
/// message.
Status check_gpt2_config(const Gpt2Config& config, std::string_view name);
inline constexpr std::int64_t kMaxParameters = std::int64_t{1} << 34;

/// Reads the text of a config.json, untrusted, and checks it. Keys that change what the model
/// computes and are not supported here are refused by name; keys that do not are ignored. `name` is
/// the file.
Result<Gpt2Config> parse_gpt2_config(std::string_view json, std::string_view name);

/// The ids that begin and end a text, where the vocabulary has such tokens.
struct Gpt2SpecialIds {
  std::optional<std::int64_t> bos;
  std::optional<std::int64_t> eos;
};

/// The text of a config.json that Hugging Face transformers' GPT2LMHeadModel opens as it is, and
/// from which parse_gpt2_config gives the same config. Throws Error when check_gpt2_config refuses
/// the config or an id is not in its vocabulary.
std::string to_json(const Gpt2Config& config, const Gpt2SpecialIds& ids);

}  // namespace limelight
