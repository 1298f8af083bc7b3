// A small published model that sorts letters (llm-viz): its activations, float64 logits and
// outputs.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "model/head_views.h"
#include "model/model_files.h"
#include "model/parameter_file.h"
#include "support/conformance.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

class GptNanoSort : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::conformance_folder("models/gpt_nano_sort");
    if (folder_.empty()) GTEST_SKIP() << "no conformance material";
    model_ = std::make_unique<Transformer>(std::move(load_transformer(folder_)).value());
  }

  SafetensorsFile open(const std::string& name) const {
    return std::move(SafetensorsFile::open(folder_ / name)).value();
  }

  std::vector<float> logits_of(std::span<const std::int32_t> ids, std::int64_t batch) const {
    const auto length = std::ssize(ids) / batch;
    Activations activations(model_->config(), batch, length, false);
    model_->forward(ids, activations);
    std::vector<float> logits(ids.size() * static_cast<std::size_t>(model_->config().vocab_size));
    model_->logits(activations.ln_f(), std::ssize(ids), logits.data());
    return logits;
  }

  fs::path folder_;
  std::unique_ptr<Transformer> model_;
};

TEST_F(GptNanoSort, LogitsAreTheFloat64Ones) {
  const SafetensorsFile file = open("reference/f64_forward_64.safetensors");
  const ConstTensorView ids64 = *file.tensor("input_ids");
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < ids64.elements(); ++i) {
    ids.push_back(static_cast<std::int32_t>(ids64.data<std::int64_t>()[i]));
  }
  const auto logits = logits_of(ids, ids64.size(0));
  const ConstTensorView expected = *file.tensor("logits");
  double largest = 0, scale = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double value = expected.data<double>()[i];
    largest = std::max(largest, std::fabs(logits[i] - value));
    scale = std::max(scale, std::fabs(value));
  }
  // 2e-6 of the largest logit: they reach tens, where one ulp of f32 is more than 2e-6 itself.
  EXPECT_LT(largest, 2e-6 * std::max(1.0, scale)) << "largest logit " << scale;
}

TEST_F(GptNanoSort, BothLayoutsOfTheFileAreTheSameModel) {
  Transformer other(model_->config());
  const SafetensorsFile file = open("model_minGPT_names.safetensors");
  const Status read =
      read_parameters(file, "minGPT", other.config(), other.layout(), other.parameters());
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_TRUE(std::ranges::equal(other.parameters(), model_->parameters()));
}

TEST_F(GptNanoSort, SortsEverySequence) {
  const auto cases =
      nlohmann::json::parse(test::read_file(folder_ / "reference/greedy_all_729.json"));
  for (const auto& c : cases) {
    auto ids = c["input"].get<std::vector<std::int32_t>>();
    const std::size_t given = ids.size();
    const auto expected = c["greedy"].get<std::vector<std::int32_t>>();
    for (std::size_t step = 0; step < expected.size(); ++step) {
      const auto logits = logits_of(ids, 1);
      const auto* last = &logits[logits.size() - 3];
      ids.push_back(static_cast<std::int32_t>(std::max_element(last, last + 3) - last));
    }
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                           ids.begin() + static_cast<std::ptrdiff_t>(given)))
        << c["input"].dump();
  }
}

/// Keeps what passes the doors of layer 0, and each block's output.
class Keeper : public Recorder {
 public:
  void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
              std::int64_t width) override {
    kept[{door, layer}] = {values, values + rows * width};
  }
  std::map<std::pair<Door, std::int64_t>, std::vector<float>> kept;
};

TEST_F(GptNanoSort, EveryDoorAgreesWithThePublishedActivations) {
  const SafetensorsFile file = open("reference/published_partials.safetensors");
  const ConstTensorView idx = *file.tensor("idx");
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < idx.elements(); ++i) {
    ids.push_back(static_cast<std::int32_t>(idx.data<float>()[i]));
  }
  Activations activations(model_->config(), idx.size(0), idx.size(1), false);
  Keeper keeper;
  model_->forward(ids, activations, &keeper);

  const auto agree = [&](const char* name, Door door, std::int64_t layer) {
    const ConstTensorView expected = *file.tensor(name);
    const std::vector<float>& found = keeper.kept[{door, layer}];
    ASSERT_EQ(std::ssize(found), expected.elements()) << name;
    double largest = 0, scale = 1;
    for (std::int64_t i = 0; i < expected.elements(); ++i) {
      const double value = expected.data<float>()[i];
      scale = std::max(scale, std::fabs(value));
      largest = std::max(largest, std::fabs(found[static_cast<std::size_t>(i)] - value));
    }
    EXPECT_LT(largest, 2e-6 * scale) << name;
  };
  agree("x", Door::embedding, 0);
  agree("ln1", Door::ln_1, 0);
  agree("qkv", Door::qkv, 0);
  agree("y", Door::context, 0);
  agree("yProj", Door::attention_out, 0);
  agree("attnResid", Door::residual_mid, 0);
  agree("ln2", Door::ln_2, 0);
  agree("fc", Door::mlp_hidden, 0);
  agree("gelu", Door::mlp_activated, 0);
  agree("mlp", Door::mlp_out, 0);
  agree("block0", Door::residual_out, 0);
  agree("block1", Door::residual_out, 1);
  agree("block2", Door::residual_out, 2);
  agree("ln_f", Door::ln_f, 0);
}

}  // namespace
}  // namespace limelight
