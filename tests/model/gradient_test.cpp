// The hand-written backward against differences of the forward, and the bits of both.

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "model/tiny_model.h"
#include "training/trainer.h"

namespace limelight {
namespace {

Batch tiny_batch() {
  const auto ids = test::tiny_ids(24, 1);
  return {.batch = 2, .length = 12, .ids = ids, .targets = test::tiny_ids(24, 2)};
}

void check_gradients(const TransformerConfig& config) {
  Transformer model = test::tiny_model(config);
  Trainer trainer(model, {});
  const Batch batch = tiny_batch();
  trainer.accumulate_gradients(batch, 1);
  for (const ParameterEntry& entry : model.layout().entries()) {
    // A few elements of every tensor, at places that differ.
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t at = entry.offset + random_below(9, entry.offset + k, entry.count);
      float& parameter = model.parameters()[at];
      const float before = parameter;
      const float step = 4e-3f;
      parameter = before + step;
      const double up = trainer.evaluate(batch);
      parameter = before - step;
      const double down = trainer.evaluate(batch);
      parameter = before;
      const double slope = (up - down) / (2.0 * step);
      EXPECT_NEAR(trainer.gradients()[at], slope, 2e-4 + 1e-2 * std::fabs(slope)) << entry.name;
    }
  }
}

TEST(Gradients, AreTheSlopesOfTheLoss) { check_gradients(test::kTinyConfig); }

TEST(Gradients, WithoutBiasesAndWithAnOutputOfItsOwn) {
  TransformerConfig config = test::kTinyConfig;
  config.bias = false;
  config.tied_output = false;
  config.gelu = GeluForm::exact;
  check_gradients(config);
}

TEST(Gradients, HaveTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<float> expected;
  for (const int count : {1, 2, 3, 7}) {
    omp_set_num_threads(count);
    Transformer model = test::tiny_model();
    Trainer trainer(model, {});
    trainer.accumulate_gradients(tiny_batch(), 1);
    const std::vector<float> found(trainer.gradients().begin(), trainer.gradients().end());
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << count << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(Forward, ATextsVectorsDoNotDependOnItsBatchOrOnWhatFollows) {
  const Transformer model = test::tiny_model();
  const auto ids = test::tiny_ids(24);
  Activations together(model.config(), 2, 12, true);
  model.forward(ids, together);
  Activations alone(model.config(), 1, 7, false);
  model.forward(std::span(ids).subspan(12, 7), alone);
  const std::int64_t width = model.config().width;
  for (std::int64_t i = 0; i < 7 * width; ++i) {
    EXPECT_EQ(alone.ln_f()[i], together.ln_f()[12 * width + i]);
  }
}

TEST(Forward, IdsThatDoNotFitAreRefused) {
  const Transformer model = test::tiny_model();
  Activations activations(model.config(), 1, 3, false);
  EXPECT_THROW(model.forward(std::vector<std::int32_t>{1, 2}, activations), Error);
  EXPECT_THROW(model.forward(std::vector<std::int32_t>{1, 2, 23}, activations), Error);
  EXPECT_THROW(model.forward(std::vector<std::int32_t>{1, -1, 2}, activations), Error);
  Activations too_long(model.config(), 1, 13, false);
  EXPECT_THROW(model.forward(test::tiny_ids(13), too_long), Error);
}

}  // namespace
}  // namespace limelight
