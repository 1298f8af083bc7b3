#pragma once

#include "base/counter_random.h"
#include "model/transformer.h"

namespace limelight::test {

inline constexpr TransformerConfig kTinyConfig = {.vocab_size = 23,
                                                  .context_length = 12,
                                                  .num_layers = 2,
                                                  .num_heads = 2,
                                                  .width = 16,
                                                  .inner_width = 40};

/// Random weights, large enough that attention selects.
inline Transformer tiny_model(TransformerConfig config = kTinyConfig) {
  Transformer model(config);
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    model.parameters()[i] = static_cast<float>(0.3 * random_normal(5, i));
  }
  return model;
}

inline std::vector<std::int32_t> tiny_ids(std::int64_t count, std::uint64_t seed = 1) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<std::int32_t>(
        random_below(seed, static_cast<std::uint64_t>(i), kTinyConfig.vocab_size)));
  }
  return ids;
}

}  // namespace limelight::test
