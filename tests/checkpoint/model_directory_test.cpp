#include "checkpoint/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/atomic_file.h"
#include "support/conformance.h"
#include "support/temporary_directory.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class ModelFolder : public testing::Test {
 protected:
  const fs::path& folder() const { return folder_.path(); }

  void write(const char* name, std::string_view text) {
    ASSERT_TRUE(write_file_atomically(folder() / name, text).ok());
  }

  std::string why() {
    const auto model = open_model_directory(folder());
    EXPECT_FALSE(model.ok());
    return model.ok() ? "" : model.message();
  }

  const Gpt2Config config_ = {.vocab_size = 96,
                              .context_length = 64,
                              .num_layers = 3,
                              .num_heads = 3,
                              .width = 48,
                              .inner_width = 192};

 private:
  test::TemporaryDirectory folder_;
};

TEST_F(ModelFolder, OpensWhatWasWritten) {
  const float weight = 0.5f;
  write(kConfigFile, to_json(config_, {.bos = 0, .eos = 0}));
  ASSERT_TRUE(
      write_safetensors(folder() / kWeightsFile, {{"w", ConstTensorView::of(&weight, {1})}}).ok());
  const auto model = open_model_directory(folder());
  ASSERT_TRUE(model.ok()) << model.message();
  EXPECT_EQ(model->folder, folder());
  EXPECT_EQ(model->config, config_);
  EXPECT_EQ(*model->weights.tensor("w")->data<float>(), 0.5f);
}

TEST_F(ModelFolder, SaysWhatIsMissing) {
  EXPECT_THAT(why(),
              AllOf(HasSubstr(folder().string()), HasSubstr("a file config.json, found none")));
  write(kConfigFile, to_json(config_, {}));
  EXPECT_THAT(why(), HasSubstr("a file model.safetensors, found none"));
  write("pytorch_model.bin", "x");
  EXPECT_THAT(why(), HasSubstr("found pytorch_model.bin instead; convert it"));
  write("model.safetensors.index.json", "{}");
  EXPECT_THAT(why(), HasSubstr("split over several files"));
  write(kWeightsFile, "x");
  EXPECT_THAT(why(), HasSubstr("model.safetensors: expected a safetensors file"));
  write(kConfigFile, "{}");
  EXPECT_THAT(why(), HasSubstr("config.json: model_type"));
  write(kConfigFile, std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(why(), HasSubstr("at most 1048576 bytes"));
}

TEST_F(ModelFolder, IsAFolder) {
  write("file", "x");
  EXPECT_THAT(open_model_directory(folder() / "file").message(), HasSubstr("found a file"));
  EXPECT_THAT(open_model_directory(folder() / "none").message(), HasSubstr("found nothing"));
}

TEST(ModelFolders, OfOthersOpen) {
  const fs::path models = test::conformance_folder("models");
  if (models.empty()) GTEST_SKIP() << "no conformance material";
  for (const std::string& name : test::list_folders(models)) {
    if (!fs::exists(models / name / kConfigFile)) continue;
    const auto model = open_model_directory(models / name);
    ASSERT_TRUE(model.ok()) << model.message();
    EXPECT_FALSE(model->weights.names().empty()) << name;
  }
}

TEST(TokenizerConfig, AddsNoTokenAndCleansNoSpace) {
  const json with = json::parse(tokenizer_config_json(64, "<|endoftext|>"));
  EXPECT_EQ(with.at("tokenizer_class"), "PreTrainedTokenizerFast");
  EXPECT_EQ(with.at("model_max_length"), 64);
  EXPECT_EQ(with.at("clean_up_tokenization_spaces"), false);
  EXPECT_EQ(with.at("eos_token"), "<|endoftext|>");
  EXPECT_EQ(with.at("bos_token"), "<|endoftext|>");
  EXPECT_FALSE(json::parse(tokenizer_config_json(64, std::nullopt)).contains("eos_token"));
}

TEST(TokenizerConfig, RefusesMisuse) {
  EXPECT_THROW(tokenizer_config_json(0, std::nullopt), Error);
  EXPECT_THROW(tokenizer_config_json(64, "\xff"), Error);
}

}  // namespace
}  // namespace limelight
