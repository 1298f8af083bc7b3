// Complete training runs computed elsewhere (nanoGPT under PyTorch, float64), followed step by
// step.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "model/parameter_file.h"
#include "support/conformance.h"
#include "training/trainer.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

/// A trajectory's folder: its configuration, initial weights, batches, losses and results.
class Trajectory {
 public:
  explicit Trajectory(const fs::path& folder)
      : folder_(folder),
        json_(nlohmann::json::parse(test::read_file(folder / "config.json"))),
        trace_(open("trace.safetensors")) {}

  TransformerConfig config() const {
    const auto& c = json_["config"];
    return {.vocab_size = c["vocab_size"],
            .context_length = c["block_size"],
            .num_layers = c["n_layer"],
            .num_heads = c["n_head"],
            .width = c["n_embd"],
            .inner_width = 4 * c["n_embd"].get<std::int64_t>(),
            .layer_norm_epsilon = json_["ln_eps"],
            .gelu = json_["gelu"].get<std::string>().find("tanh") == std::string::npos
                        ? GeluForm::exact
                        : GeluForm::tanh,
            .tied_output = true,
            .bias = c["bias"]};
  }

  OptimizerSettings optimizer() const {
    return {.adamw = {.beta_1 = json_["betas"][0],
                      .beta_2 = json_["betas"][1],
                      .epsilon = json_["adam_eps"],
                      .weight_decay = json_["weight_decay"]},
            .learning_rate = {.peak = json_["lr"],
                              .minimum = json_["min_lr"],
                              .warmup_steps = json_["warmup"],
                              .decay_steps = json_["lr_decay_iters"]},
            .gradient_clip = json_["grad_clip"]};
  }

  std::int64_t steps() const { return json_["steps"]; }
  std::int64_t accumulate() const { return json_["grad_accum"]; }

  /// x and y are [steps, (accumulate,) batch, length].
  void fill(std::int64_t step, std::int64_t micro, Batch& batch) const {
    const ConstTensorView x = *trace_.tensor("x");
    const ConstTensorView y = *trace_.tensor("y");
    batch.length = x.size(x.rank() - 1);
    batch.batch = json_["batch_size"];
    const std::int64_t count = batch.batch * batch.length;
    const std::int64_t start = (step * accumulate() + micro) * count;
    batch.ids.assign(x.data<std::int32_t>() + start, x.data<std::int32_t>() + start + count);
    batch.targets.assign(y.data<std::int32_t>() + start, y.data<std::int32_t>() + start + count);
  }

  double number(const char* name, std::int64_t step) const {
    return trace_.tensor(name)->data<double>()[step];
  }

  void read(const std::string& file, const Transformer& model, std::span<float> to) const {
    const SafetensorsFile opened = open(file);
    const Status status = read_parameters(opened, file, model.config(), model.layout(), to);
    ASSERT_TRUE(status.ok()) << status.message();
  }

 private:
  SafetensorsFile open(const std::string& name) const {
    return std::move(SafetensorsFile::open(folder_ / name)).value();
  }

  fs::path folder_;
  nlohmann::json json_;
  SafetensorsFile trace_;
};

double largest_difference(std::span<const float> a, std::span<const float> b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

void follow(const fs::path& folder) {
  const Trajectory run(folder);
  Transformer model(run.config());
  run.read("init.safetensors", model, model.parameters());
  Trainer trainer(model, run.optimizer());
  AlignedBuffer<float> expected(model.layout().size());

  Batch batch;
  for (std::int64_t micro = 0; micro < run.accumulate(); ++micro) {
    run.fill(0, micro, batch);
    trainer.accumulate_gradients(batch, 1.0 / static_cast<double>(run.accumulate()));
  }
  run.read("grads_step0.safetensors", model, expected.span());
  EXPECT_LT(largest_difference(trainer.gradients(), expected.span()), 2e-6);

  double worst_loss = 0;
  for (std::int64_t step = 0; step < run.steps(); ++step) {
    const auto result = trainer.step(
        run.accumulate(), [&](std::int64_t micro, Batch& next) { run.fill(step, micro, next); });
    worst_loss = std::max(worst_loss, std::fabs(result.loss - run.number("loss", step)));
    EXPECT_NEAR(result.learning_rate, run.number("lr", step), 1e-12) << "step " << step;
    EXPECT_NEAR(result.gradient_norm, run.number("grad_norm_before_clip", step), 1e-4)
        << "step " << step;
    if (step == 0) {
      run.read("after_step1.safetensors", model, expected.span());
      EXPECT_LT(largest_difference(model.parameters(), expected.span()), 2e-5);
    }
  }
  EXPECT_LT(worst_loss, 2e-6);
  ::testing::Test::RecordProperty("worst_loss", std::to_string(worst_loss));
  std::printf("%s: largest loss difference %.2e over %ld steps\n", folder.filename().c_str(),
              worst_loss, static_cast<long>(run.steps()));
  run.read("final.safetensors", model, expected.span());
  EXPECT_LT(largest_difference(model.parameters(), expected.span()), 2e-3);
}

TEST(TrainingTrajectory, EveryPublishedRunIsFollowed) {
  const fs::path folder = test::conformance_folder("training_trajectory");
  if (folder.empty()) GTEST_SKIP() << "no conformance material";
  for (const std::string& name : test::list_folders(folder)) {
    SCOPED_TRACE(name);
    follow(folder / name);
  }
}

}  // namespace
}  // namespace limelight
