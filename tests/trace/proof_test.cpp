#include "trace/proof.h"

#include <gtest/gtest.h>

#include <numeric>

#include "model/tiny_model.h"

namespace limelight {
namespace {

struct TracedRun {
  Transformer model = test::tiny_model();
  Trace trace = record_trace(model, test::tiny_ids(9));
};

TEST(Proof, HoldsForEveryHead) {
  const TracedRun run;
  for (std::int64_t layer = 0; layer < run.model.config().num_layers; ++layer) {
    for (std::int64_t h = 0; h < run.model.config().num_heads; ++h) {
      const HeadTrace head = trace_head(run.model, run.trace, layer, h);
      const Proof proof = prove(run.model, run.trace, head);
      EXPECT_TRUE(proof.holds());
      for (const StageProof& stage : proof.stages) {
        EXPECT_LE(stage.largest_difference, 4e-6 * std::max(1.0, stage.largest_value))
            << stage.stage;
      }
    }
  }
}

// A proof that cannot fail proves nothing: each recorded number, changed a little, is caught by its
// stage.
TEST(Proof, CatchesAChangedNumber) {
  const TracedRun run;
  const HeadTrace head = trace_head(run.model, run.trace, 1, 0);
  const auto error_of = [&](const Trace& trace, const HeadTrace& h, const char* stage) {
    return prove(run.model, trace, h).stage(stage).largest_difference;
  };
  const auto expect_caught = [&](const char* stage, Matrix LayerTrace::*matrix) {
    Trace changed = run.trace;
    (changed.layers[1].*matrix).values[5] += 0.01f;
    EXPECT_GT(error_of(changed, head, stage), 0.009) << stage;
  };
  expect_caught("norm 1", &LayerTrace::ln_1);
  expect_caught("query, key, value", &LayerTrace::qkv);
  expect_caught("context", &LayerTrace::context);
  expect_caught("attention out", &LayerTrace::attention_out);
  expect_caught("stream after attention", &LayerTrace::residual_mid);
  expect_caught("norm 2", &LayerTrace::ln_2);
  expect_caught("mlp hidden", &LayerTrace::mlp_hidden);
  expect_caught("gelu", &LayerTrace::mlp_activated);
  expect_caught("mlp out", &LayerTrace::mlp_out);
  expect_caught("stream after mlp", &LayerTrace::residual_out);

  HeadTrace changed = head;
  changed.weights.at(4, 2) += 0.01f;
  EXPECT_GT(error_of(run.trace, changed, "weights"), 0.009);
  EXPECT_FALSE(prove(run.model, run.trace, changed).holds());
  changed = head;
  changed.weights.at(2, 4) = 1e-7f;  // beyond the mask
  EXPECT_FALSE(prove(run.model, run.trace, changed).holds());
}

TEST(Proof, CatchesNotANumber) {
  const TracedRun run;
  Trace changed = run.trace;
  changed.layers[0].ln_1.values[0] = std::numeric_limits<float>::quiet_NaN();
  const HeadTrace head = trace_head(run.model, run.trace, 0, 0);
  const double difference = prove(run.model, changed, head).stage("norm 1").largest_difference;
  EXPECT_TRUE(std::isnan(difference));
}

TEST(HeadTrace, WeightsAreTheRunsOwn) {
  const TracedRun run;
  for (std::int64_t h = 0; h < run.model.config().num_heads; ++h) {
    const HeadTrace head = trace_head(run.model, run.trace, 0, h);
    for (std::int64_t i = 0; i < head.weights.rows; ++i) {
      const auto row = head.weights.row(i);
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-6);
      const auto alone = weights_row(run.model, run.trace, 0, h, i);
      for (std::size_t j = 0; j < alone.size(); ++j) EXPECT_NEAR(alone[j], row[j], 1e-6);
      for (std::int64_t d = 0; d < head.context.columns; ++d) {
        double mixed = 0;
        for (std::int64_t j = 0; j <= i; ++j) mixed += head.weights.at(i, j) * head.value.at(j, d);
        EXPECT_NEAR(mixed, head.context.at(i, d), 2e-6);
      }
    }
  }
}

TEST(EffectiveWords, RunsFromOneToAll) {
  EXPECT_NEAR(effective_words(std::vector<float>{0, 1, 0}), 1, 1e-12);
  EXPECT_NEAR(effective_words(std::vector<float>(8, 0.125f)), 8, 1e-9);
}

}  // namespace
}  // namespace limelight
