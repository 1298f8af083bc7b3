#include "model/parameters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/gpt2_config.h"
#include "model/tiny_model.h"

namespace limelight {
namespace {

TEST(ParameterLayout, TensorsDoNotOverlapAndCountUp) {
  for (const bool tied : {true, false}) {
    for (const bool bias : {true, false}) {
      TransformerConfig config = test::kTinyConfig;
      config.tied_output = tied;
      config.bias = bias;
      const ParameterLayout layout(config);
      std::size_t end = 0;
      for (const ParameterEntry& entry : layout.entries()) {
        EXPECT_GE(entry.offset, end) << entry.name;
        end = entry.offset + entry.count;
      }
      EXPECT_LE(end, layout.size());
      const Gpt2Config file = {.vocab_size = config.vocab_size,
                               .context_length = config.context_length,
                               .num_layers = config.num_layers,
                               .num_heads = config.num_heads,
                               .width = config.width,
                               .inner_width = config.inner_width,
                               .tied_output = tied,
                               .bias = bias};
      EXPECT_EQ(static_cast<std::int64_t>(layout.parameter_count()), count_parameters(file));
    }
  }
}

TEST(Initialization, HasGpt2sSpreadAndRepeats) {
  TransformerConfig config = test::kTinyConfig;
  config.width = 64;
  config.inner_width = 256;
  const ParameterLayout layout(config);
  std::vector<float> first(layout.size()), second(layout.size()), other(layout.size());
  initialize_parameters(config, layout, 1, first.data());
  initialize_parameters(config, layout, 1, second.data());
  initialize_parameters(config, layout, 2, other.data());
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
  for (const ParameterEntry& entry : layout.entries()) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < entry.count; ++i) {
      const double value = first[entry.offset + i];
      sum += value;
      squares += value * value;
    }
    const auto count = static_cast<double>(entry.count);
    if (entry.kind == ParameterKind::gain) {
      EXPECT_EQ(sum, count) << entry.name;
    } else if (entry.kind == ParameterKind::bias) {
      EXPECT_EQ(squares, 0) << entry.name;
    } else {
      const double expected = entry.kind == ParameterKind::residual_linear ? 0.01 : 0.02;
      EXPECT_NEAR(std::sqrt(squares / count), expected, 0.1 * expected) << entry.name;
      EXPECT_NEAR(sum / count, 0, 5 * expected / std::sqrt(count)) << entry.name;
    }
  }
}

}  // namespace
}  // namespace limelight
