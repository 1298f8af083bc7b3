// Linear layers in bf16 on tiles, by the emulated unit: near those in f32, and the same bits on any
// threads.

#include <gtest/gtest.h>
#include <limelight/error.h>
#include <omp.h>

#include <cmath>
#include <vector>

#include "base/instruction_set.h"
#include "model/tiny_model.h"

namespace limelight {
namespace {

std::vector<float> logits_of(const Transformer& model) {
  const std::vector<std::int32_t> ids = test::tiny_ids(12);
  Activations activations(model.config(), 1, 12, /*keep_all_layers=*/false);
  model.forward(ids, activations);
  std::vector<float> logits(12 * static_cast<std::size_t>(model.config().vocab_size));
  model.logits(activations.ln_f(), 12, logits.data());
  return logits;
}

double root_mean_square(const std::vector<float>& x, const std::vector<float>& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * double(x[i] - y[i]);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

TEST(Precision, InBf16LogitsAreNearThoseInF32) {
  const TileUnitForTest unit(&tiles::emulated_unit());
  Transformer model = test::tiny_model();
  const std::vector<float> exact = logits_of(model);
  model.set_precision(Precision::bf16);
  const std::vector<float> rounded = logits_of(model);
  const double difference = root_mean_square(exact, rounded);
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0x1p-6 * root_mean_square(exact, std::vector<float>(exact.size())));
  model.set_precision(Precision::f32);
  EXPECT_EQ(logits_of(model), exact);
}

TEST(Precision, InBf16BitsDoNotDependOnThreads) {
  const TileUnitForTest unit(&tiles::emulated_unit());
  Transformer model = test::tiny_model();
  model.set_precision(Precision::bf16);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<float> expected = logits_of(model);
  omp_set_num_threads(3);
  EXPECT_EQ(logits_of(model), expected);
  omp_set_num_threads(threads);
}

TEST(Precision, Bf16IsRefusedWhereThereIsNoTileUnit) {
  const TileUnitForTest none(nullptr);
  Transformer model = test::tiny_model();
  const std::vector<float> exact = logits_of(model);
  try {
    model.set_precision(Precision::bf16);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("precision: bf16 needs a tile unit"),
              std::string::npos);
  }
  EXPECT_EQ(logits_of(model), exact);
}

}  // namespace
}  // namespace limelight
