#include "checkpoint/gpt2_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "support/conformance.h"

namespace limelight {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

/// The published config.json of GPT-2 small.
json gpt2_small() {
  return json::parse(
      test::read_file(LIMELIGHT_SOURCE_DIR "/fuzz/checkpoint_config/seeds/gpt2.json"));
}

json changed(const char* key, const json& value) {
  json document = gpt2_small();
  document[key] = value;
  return document;
}

std::string why(const std::string& text) {
  const auto config = parse_gpt2_config(text, "dir/config.json");
  EXPECT_FALSE(config.ok()) << text;
  if (config.ok()) return {};
  EXPECT_THAT(config.message(), testing::StartsWith("dir/config.json: "));
  EXPECT_EQ(config.message().find('\n'), std::string::npos);
  return config.message();
}

std::string why(const char* key, const json& value) { return why(changed(key, value).dump()); }

TEST(Gpt2Config, ReadsThePublishedModel) {
  const Gpt2Config config = *parse_gpt2_config(gpt2_small().dump(), "config.json");
  EXPECT_EQ(config.vocab_size, 50257);
  EXPECT_EQ(config.context_length, 1024);
  EXPECT_EQ(config.num_layers, 12);
  EXPECT_EQ(config.num_heads, 12);
  EXPECT_EQ(config.width, 768);
  EXPECT_EQ(config.inner_width, 3072);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-5);
  EXPECT_TRUE(uses_tanh_gelu(config));
  EXPECT_TRUE(config.tied_output);
  EXPECT_TRUE(config.bias);
  EXPECT_EQ(count_parameters(config), 124'439'808);  // as published
}

TEST(Gpt2Config, CountsWhatTheOptionsAddAndTakeAway) {
  const Gpt2Config small = {.vocab_size = 7,
                            .context_length = 5,
                            .num_layers = 2,
                            .num_heads = 2,
                            .width = 4,
                            .inner_width = 6};
  // Per layer: two norms 2*8, attention 4*12+12 + 4*4+4, MLP 4*6+6 + 6*4+4; then the last norm.
  EXPECT_EQ(count_parameters(small), (7 + 5) * 4 + 2 * (16 + 60 + 20 + 30 + 28) + 8);
  Gpt2Config untied = small;
  untied.tied_output = false;
  EXPECT_EQ(count_parameters(untied), count_parameters(small) + 7 * 4);
  Gpt2Config plain = small;
  plain.bias = false;
  EXPECT_EQ(count_parameters(plain), (7 + 5) * 4 + 2 * (8 + 48 + 16 + 24 + 24) + 4);
}

TEST(Gpt2Config, ReadsOptionalKeys) {
  const auto config = [](const char* key, const json& value) {
    return *parse_gpt2_config(changed(key, value).dump(), "config.json");
  };
  EXPECT_EQ(config("n_inner", 100).inner_width, 100);
  EXPECT_FALSE(uses_tanh_gelu(config("activation_function", "gelu")));
  EXPECT_TRUE(uses_tanh_gelu(config("activation_function", "gelu_pytorch_tanh")));
  EXPECT_FALSE(config("tie_word_embeddings", false).tied_output);
  EXPECT_FALSE(config("bias", false).bias);
  EXPECT_EQ(config("layer_norm_epsilon", 1).layer_norm_epsilon, 1.0);
  EXPECT_TRUE(config("a key nobody knows", {{"deep", {1, 2}}}).bias);
}

TEST(Gpt2Config, RefusesEachWrongKeyByName) {
  for (const char* key : {"vocab_size", "n_positions", "n_layer", "n_head", "n_embd"}) {
    json without = gpt2_small();
    without.erase(key);
    EXPECT_THAT(why(without.dump()), HasSubstr(std::string(key) + ": expected")) << "missing";
    for (const json& value : {json(0), json(-1), json(1.5), json("12"), json(nullptr), json(true),
                              json::array(), json(INT64_MAX), json(UINT64_MAX)}) {
      EXPECT_THAT(why(key, value), HasSubstr(std::string(key) + ": expected")) << value;
    }
  }
  EXPECT_THAT(why("n_inner", 0), HasSubstr("n_inner: expected 1 to"));
  EXPECT_THAT(why("n_inner", "x"), HasSubstr("n_inner: expected a whole number"));
  EXPECT_THAT(why("n_inner", INT64_MAX), HasSubstr("n_inner: expected 1 to"));
  EXPECT_THAT(why("n_head", 7), HasSubstr("n_head: expected a divisor of n_embd = 768, found 7"));
  EXPECT_THAT(why("activation_function", "relu"),
              AllOf(HasSubstr("activation_function"), HasSubstr("found \"relu\"")));
  EXPECT_THAT(why("activation_function", 1), HasSubstr("activation_function: expected a text"));
  EXPECT_THAT(why("tie_word_embeddings", 1),
              HasSubstr("tie_word_embeddings: expected true or false"));
  EXPECT_THAT(why("bias", "no"), HasSubstr("bias: expected true or false, found \"no\""));
  EXPECT_THAT(why("model_type", "llama"),
              HasSubstr("model_type: expected \"gpt2\", found \"llama\""));
  for (const json& epsilon : {json(0), json(-1e-5), json(2), json("x"), json(false)}) {
    EXPECT_THAT(why("layer_norm_epsilon", epsilon), HasSubstr("layer_norm_epsilon: expected"));
  }
}

TEST(Gpt2Config, RefusesFormsOfAttentionThatItWouldComputeWrongly) {
  EXPECT_THAT(
      why("scale_attn_by_inverse_layer_idx", true),
      HasSubstr("scale_attn_by_inverse_layer_idx: expected false, the only form supported"));
  EXPECT_THAT(why("reorder_and_upcast_attn", true), HasSubstr("reorder_and_upcast_attn"));
  EXPECT_THAT(why("scale_attn_weights", false), HasSubstr("scale_attn_weights: expected true"));
  EXPECT_THAT(why("add_cross_attention", true), HasSubstr("add_cross_attention"));
}

TEST(Gpt2Config, RefusesSizesThatNobodyCanAllocate) {
  json document = gpt2_small();
  document["n_embd"] = 1 << 18;
  document["n_head"] = 1;
  EXPECT_THAT(why(document.dump()), HasSubstr("weights in all"));
  document["n_layer"] = 4096;
  document["vocab_size"] = 1 << 24;
  document["n_positions"] = 1 << 24;
  EXPECT_THAT(why(document.dump()), HasSubstr("weights in all"));
}

TEST(Gpt2Config, RefusesWhatIsNotAnObject) {
  EXPECT_THAT(why("[]"), HasSubstr("found array"));
  EXPECT_THAT(why("{"), HasSubstr("line 1, column"));
  EXPECT_THAT(why(""), HasSubstr("line 1, column 1"));
  EXPECT_THAT(why("{}"), HasSubstr("model_type"));
}

TEST(Gpt2Config, WritesWhatItReads) {
  Gpt2Config config = *parse_gpt2_config(gpt2_small().dump(), "config.json");
  for (const bool option : {true, false}) {
    config.tied_output = option;
    config.bias = !option;
    config.activation = option ? "gelu" : "gelu_pytorch_tanh";
    config.layer_norm_epsilon = option ? 1e-6 : 0.1 + 0.2;
    config.inner_width = option ? 3072 : 999;
    EXPECT_EQ(*parse_gpt2_config(to_json(config, {}), "again"), config);
  }
}

TEST(Gpt2Config, WritesTheKeysThatTransformersReads) {
  const Gpt2Config config = {.vocab_size = 96,
                             .context_length = 64,
                             .num_layers = 3,
                             .num_heads = 3,
                             .width = 48,
                             .inner_width = 192};
  const json document = json::parse(to_json(config, {.bos = 0, .eos = 95}));
  EXPECT_EQ(document.at("architectures"), json({"GPT2LMHeadModel"}));
  EXPECT_EQ(document.at("model_type"), "gpt2");
  EXPECT_EQ(document.at("torch_dtype"), "float32");
  EXPECT_EQ(document.at("vocab_size"), 96);
  EXPECT_EQ(document.at("n_positions"), 64);
  EXPECT_EQ(document.at("n_ctx"), 64);
  EXPECT_EQ(document.at("n_layer"), 3);
  EXPECT_EQ(document.at("n_head"), 3);
  EXPECT_EQ(document.at("n_embd"), 48);
  EXPECT_EQ(document.at("n_inner"), 192);
  EXPECT_EQ(document.at("activation_function"), "gelu_new");
  EXPECT_EQ(document.at("layer_norm_epsilon"), 1e-5);
  EXPECT_EQ(document.at("tie_word_embeddings"), true);
  EXPECT_EQ(document.at("bos_token_id"), 0);
  EXPECT_EQ(document.at("eos_token_id"), 95);
  EXPECT_TRUE(json::parse(to_json(config, {})).at("eos_token_id").is_null());
}

TEST(Gpt2Config, DoesNotWriteWhatItWouldNotRead) {
  Gpt2Config config = {.vocab_size = 96,
                       .context_length = 64,
                       .num_layers = 3,
                       .num_heads = 3,
                       .width = 48,
                       .inner_width = 192};
  EXPECT_THROW(to_json(config, {.bos = -1, .eos = 0}), Error);
  EXPECT_THROW(to_json(config, {.bos = 0, .eos = 96}), Error);
  config.num_heads = 5;
  EXPECT_THROW(to_json(config, {}), Error);
}

TEST(Gpt2Config, SurvivesDamage) {
  const std::string text = gpt2_small().dump();
  for (std::size_t size = 0; size < text.size(); ++size) why(text.substr(0, size));
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = text;
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const auto config = parse_gpt2_config(damaged, "damaged");
    if (config) {
      EXPECT_TRUE(check_gpt2_config(*config, "damaged").ok());
    }
  }
}

}  // namespace
}  // namespace limelight
