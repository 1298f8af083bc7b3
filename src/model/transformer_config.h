#pragma once

#include <cstdint>

#include "layers/activation.h"

namespace limelight {

/// The numbers that say which transformer: GPT-2's architecture (Radford et al. 2019), pre-norm
/// blocks on a residual stream, learned positions.
struct TransformerConfig {
  std::int64_t vocab_size = 0;
  std::int64_t context_length = 0;  ///< positions the model knows
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t width = 0;        ///< of the residual stream; a multiple of num_heads
  std::int64_t inner_width = 0;  ///< of the MLP's hidden layer, usually 4 * width
  float layer_norm_epsilon = 1e-5f;
  GeluForm gelu = GeluForm::tanh;
  bool tied_output = true;  ///< logits are taken with the token embedding itself
  bool bias = true;         ///< linear layers and norms have biases

  std::int64_t head_dim() const { return width / num_heads; }
  bool operator==(const TransformerConfig&) const = default;
};

}  // namespace limelight
