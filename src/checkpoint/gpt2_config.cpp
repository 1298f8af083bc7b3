#include "checkpoint/gpt2_config.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/json.h"
#include "base/printable.h"

namespace limelight {
namespace {

using nlohmann::json;

// Far above any model of this family, and low enough that their products do not overflow 63 bits.
constexpr std::int64_t kMaxVocabSize = std::int64_t{1} << 24;
constexpr std::int64_t kMaxContextLength = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 18;

/// A switch of the format that changes the computation, and the one setting supported here.
struct RequiredSwitch {
  const char* key;
  bool required;
};
constexpr RequiredSwitch kRequiredSwitches[] = {
    {"scale_attn_weights", true},
    {"scale_attn_by_inverse_layer_idx", false},
    {"reorder_and_upcast_attn", false},
    {"add_cross_attention", false},
};

/// Reads members of the document, each with its own check; keeps the first thing that is wrong.
class ConfigReader {
 public:
  ConfigReader(const json& document, std::string_view name) : document_(document), name_(name) {}

  bool has(const char* key) const { return document_.contains(key) && !document_[key].is_null(); }

  std::int64_t whole_number(const char* key) {
    if (has(key) && document_[key].is_number_unsigned() &&
        document_[key].get<std::uint64_t>() <= std::uint64_t{INT64_MAX}) {
      return document_[key].get<std::int64_t>();
    }
    refuse(key, "a whole number above 0");
    return 0;
  }

  double number(const char* key, double otherwise) {
    if (!has(key)) return otherwise;
    if (document_[key].is_number()) return document_[key].get<double>();
    refuse(key, "a number");
    return otherwise;
  }

  bool boolean(const char* key, bool otherwise) {
    if (!has(key)) return otherwise;
    if (document_[key].is_boolean()) return document_[key].get<bool>();
    refuse(key, "true or false");
    return otherwise;
  }

  std::string text(const char* key, std::string otherwise) {
    if (!has(key)) return otherwise;
    if (document_[key].is_string()) return document_[key].get<std::string>();
    refuse(key, "a text");
    return otherwise;
  }

  void require(const RequiredSwitch& setting) {
    if (boolean(setting.key, setting.required) != setting.required) {
      refuse(setting.key, fmt::format("{}, the only form supported", setting.required));
    }
  }

  void refuse(const char* key, std::string_view expected) {
    if (failure_) return;
    failure_ =
        Failure{fmt::format("{}: {}: expected {}, found {}; choose another model or correct "
                            "the file",
                            printable_path(name_), key, expected,
                            has(key) ? printable(document_[key].dump()) : "none")};
  }

  const std::optional<Failure>& failure() const { return failure_; }

 private:
  const json& document_;
  std::string_view name_;
  std::optional<Failure> failure_;
};

/// One member's limits, for a message that names the file's key.
Status check_range(std::string_view name, const char* key, std::int64_t value, std::int64_t most) {
  if (value >= 1 && value <= most) return success();
  return Failure{fmt::format("{}: {}: expected 1 to {}, found {}; correct it", printable_path(name),
                             key, most, value)};
}

Status check_sizes(const Gpt2Config& config, std::string_view name) {
  for (const auto& [key, value, most] :
       {std::tuple("vocab_size", config.vocab_size, kMaxVocabSize),
        std::tuple("n_positions", config.context_length, kMaxContextLength),
        std::tuple("n_layer", config.num_layers, kMaxLayers),
        std::tuple("n_embd", config.width, kMaxWidth),
        std::tuple("n_head", config.num_heads, config.width),
        std::tuple("n_inner", config.inner_width, 4 * kMaxWidth)}) {
    Status status = check_range(name, key, value, most);
    if (!status) return status;
  }
  return success();
}

}  // namespace

bool uses_tanh_gelu(const Gpt2Config& config) { return config.activation != "gelu"; }

std::int64_t count_parameters(const Gpt2Config& config) {
  const std::int64_t bias = config.bias ? 1 : 0;
  const std::int64_t norm = config.width * (1 + bias);
  const auto linear = [&](std::int64_t in, std::int64_t out) { return in * out + bias * out; };
  const std::int64_t layer =
      norm + linear(config.width, 3 * config.width) + linear(config.width, config.width) + norm +
      linear(config.width, config.inner_width) + linear(config.inner_width, config.width);
  const std::int64_t embeddings = (config.vocab_size + config.context_length) * config.width;
  const std::int64_t output = config.tied_output ? 0 : config.vocab_size * config.width;
  return embeddings + config.num_layers * layer + norm + output;
}

Status check_gpt2_config(const Gpt2Config& config, std::string_view name) {
  if (Status sizes = check_sizes(config, name); !sizes) return sizes;
  const auto refuse = [&](std::string_view problem) {
    return Failure{fmt::format("{}: {}; correct it", printable_path(name), problem)};
  };
  if (config.width % config.num_heads != 0) {
    return refuse(fmt::format("n_head: expected a divisor of n_embd = {}, found {}", config.width,
                              config.num_heads));
  }
  if (!(config.layer_norm_epsilon > 0 && config.layer_norm_epsilon <= 1)) {
    return refuse(
        fmt::format("layer_norm_epsilon: expected a number above 0 and at most 1, found {}",
                    config.layer_norm_epsilon));
  }
  if (config.activation != "gelu_new" && config.activation != "gelu_pytorch_tanh" &&
      config.activation != "gelu") {
    return refuse(
        fmt::format("activation_function: expected \"gelu_new\", \"gelu_pytorch_tanh\" or "
                    "\"gelu\", found \"{}\"",
                    printable(config.activation)));
  }
  if (count_parameters(config) > kMaxParameters) {
    return refuse(fmt::format("expected at most {} weights in all, found sizes that make {}",
                              kMaxParameters, count_parameters(config)));
  }
  return success();
}

Result<Gpt2Config> parse_gpt2_config(std::string_view text, std::string_view name) {
  const auto document = parse_json(text, name);
  if (!document) return document.failure();
  if (!document->is_object()) {
    return Failure{
        fmt::format("{}: expected an object with GPT-2's sizes, found {}; give a model's "
                    "config.json",
                    printable_path(name), document->type_name())};
  }
  ConfigReader reader(*document, name);
  if (reader.text("model_type", "") != "gpt2") reader.refuse("model_type", "\"gpt2\"");
  for (const RequiredSwitch& setting : kRequiredSwitches) reader.require(setting);

  Gpt2Config config;
  config.vocab_size = reader.whole_number("vocab_size");
  config.context_length = reader.whole_number("n_positions");
  config.num_layers = reader.whole_number("n_layer");
  config.num_heads = reader.whole_number("n_head");
  config.width = reader.whole_number("n_embd");
  if (reader.failure()) return *reader.failure();
  // Checked before it is multiplied.
  if (Status width = check_range(name, "n_embd", config.width, kMaxWidth); !width) {
    return width.failure();
  }
  config.inner_width = reader.has("n_inner") ? reader.whole_number("n_inner") : 4 * config.width;
  config.layer_norm_epsilon = reader.number("layer_norm_epsilon", config.layer_norm_epsilon);
  config.activation = reader.text("activation_function", config.activation);
  config.tied_output = reader.boolean("tie_word_embeddings", config.tied_output);
  config.bias = reader.boolean("bias", config.bias);
  if (reader.failure()) return *reader.failure();
  if (Status status = check_gpt2_config(config, name); !status) return status.failure();
  return config;
}

std::string to_json(const Gpt2Config& config, const Gpt2SpecialIds& ids) {
  if (const Status status = check_gpt2_config(config, "config"); !status) {
    throw Error(status.message());
  }
  const auto id_or_null = [&](std::optional<std::int64_t> id, const char* argument) -> json {
    if (!id) return nullptr;
    if (*id < 0 || *id >= config.vocab_size) {
      throw Error(fmt::format("ids.{}: expected an id below vocab_size = {}, found {}", argument,
                              config.vocab_size, *id));
    }
    return *id;
  };
  nlohmann::ordered_json document = {
      {"architectures", {"GPT2LMHeadModel"}},
      {"model_type", "gpt2"},
      {"torch_dtype", "float32"},
      {"vocab_size", config.vocab_size},
      {"n_positions", config.context_length},
      {"n_ctx", config.context_length},
      {"n_layer", config.num_layers},
      {"n_head", config.num_heads},
      {"n_embd", config.width},
      {"n_inner", config.inner_width},
      {"activation_function", config.activation},
      {"layer_norm_epsilon", config.layer_norm_epsilon},
      {"tie_word_embeddings", config.tied_output},
      {"scale_attn_weights", true},
      {"scale_attn_by_inverse_layer_idx", false},
      {"reorder_and_upcast_attn", false},
      {"attn_pdrop", 0.0},
      {"embd_pdrop", 0.0},
      {"resid_pdrop", 0.0},
      {"initializer_range", 0.02},
      {"use_cache", true},
      {"bos_token_id", id_or_null(ids.bos, "bos")},
      {"eos_token_id", id_or_null(ids.eos, "eos")},
  };
  if (!config.bias) document["bias"] = false;
  return document.dump(2) + "\n";
}

}  // namespace limelight
