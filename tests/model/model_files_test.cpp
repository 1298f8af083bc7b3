#include "model/model_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "model/tiny_model.h"
#include "support/conformance.h"
#include "support/temporary_directory.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

Tokenizer tiny_tokenizer() {
  Tokenizer::TrainingOptions options;
  options.vocab_size = 260;
  return std::move(Tokenizer::train("light light lamp", options)).value();
}

Transformer model_for(const Tokenizer& tokenizer) {
  TransformerConfig config = test::kTinyConfig;
  config.vocab_size = tokenizer.vocab_size();
  return test::tiny_model(config);
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const Tokenizer tokenizer = tiny_tokenizer();
    ASSERT_TRUE(write_model_folder(folder(), model_for(tokenizer), tokenizer).ok());
  }
  const fs::path& folder() const { return directory_.path(); }

  void expect_refused(const std::string& named) const {
    const auto model = load_model_folder(folder());
    ASSERT_FALSE(model.ok());
    EXPECT_NE(model.message().find(named), std::string::npos) << model.message();
    EXPECT_EQ(model.message().find('\n'), std::string::npos) << model.message();
  }

 private:
  test::TemporaryDirectory directory_;
};

TEST_F(ModelFolder, ComesBackToTheBit) {
  const auto model = load_model_folder(folder());
  ASSERT_TRUE(model.ok()) << model.message();
  const Tokenizer tokenizer = tiny_tokenizer();
  const Transformer written = model_for(tokenizer);
  EXPECT_EQ(model->transformer.config(), written.config());
  // Padding between tensors is not stored.
  for (const ParameterEntry& entry : written.layout().entries()) {
    for (std::size_t i = entry.offset; i < entry.offset + entry.count; ++i) {
      ASSERT_EQ(model->transformer.parameters()[i], written.parameters()[i]) << entry.name;
    }
  }
  EXPECT_EQ(model->tokenizer.to_json(), tokenizer.to_json());
}

TEST_F(ModelFolder, AMissingFileIsNamed) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    const std::string kept = test::read_file(folder() / name);
    fs::remove(folder() / name);
    expect_refused(name);
    write_text(folder() / name, kept);
  }
}

TEST_F(ModelFolder, WeightsOfAnotherShapeAreRefusedByName) {
  std::string config = test::read_file(folder() / "config.json");
  const std::size_t at = config.find("\"n_positions\": 12");
  ASSERT_NE(at, std::string::npos) << config;
  config.replace(at, 17, "\"n_positions\": 13");
  write_text(folder() / "config.json", config);
  expect_refused("wpe.weight");
}

TEST_F(ModelFolder, ATruncatedFileIsRefused) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    const std::string whole = test::read_file(folder() / name);
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, whole.size() / 2}) {
      write_text(folder() / name, whole.substr(0, size));
      expect_refused(name);
    }
    write_text(folder() / name, whole);
  }
}

}  // namespace
}  // namespace limelight
