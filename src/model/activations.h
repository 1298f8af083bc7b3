#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/transformer_config.h"

namespace limelight {

/// What one block computes on its way and the backward needs again. All are [tokens, ...],
/// row-major.
struct BlockActivations {
  float* ln_1;          ///< [tokens, width]
  float* ln_1_mean;     ///< [tokens]
  float* ln_1_inverse;  ///< [tokens], 1 / standard deviation
  float* qkv;           ///< [tokens, 3 * width]: query, key, value beside each other
  float* lse;           ///< [batch, num_heads, length]
  float* context;       ///< [tokens, width]: the heads' context vectors beside each other
  float* residual_mid;  ///< [tokens, width]: the stream after attention
  float* ln_2;
  float* ln_2_mean;
  float* ln_2_inverse;
  float* mlp_hidden;     ///< [tokens, inner_width], before the GELU
  float* mlp_activated;  ///< [tokens, inner_width], after it
  float* residual_out;   ///< [tokens, width]: the stream after the MLP
};

/// The memory of one forward pass over batch * length tokens. With `keep_all_layers` every block
/// has memory of its own, as the backward needs; without, all blocks share one block's memory.
class Activations {
 public:
  Activations(const TransformerConfig& config, std::int64_t batch, std::int64_t length,
              bool keep_all_layers);

  std::int64_t batch() const { return batch_; }
  std::int64_t length() const { return length_; }
  std::int64_t tokens() const { return batch_ * length_; }
  bool keeps_all_layers() const { return keep_all_layers_; }

  float* embedding() { return embedding_; }  ///< [tokens, width]: the stream before the first block
  BlockActivations& block(std::int64_t layer) { return blocks_[static_cast<std::size_t>(layer)]; }
  /// The stream that enters a layer; layer = num_layers: what enters the final norm.
  float* residual_in(std::int64_t layer) {
    return layer == 0 ? embedding_ : block(layer - 1).residual_out;
  }
  float* scratch() { return scratch_; }  ///< [tokens, width]: a branch's output before it is added
  float* ln_f() { return ln_f_; }        ///< [tokens, width]
  float* ln_f_mean() { return ln_f_mean_; }
  float* ln_f_inverse() { return ln_f_inverse_; }

 private:
  std::int64_t batch_, length_;
  bool keep_all_layers_;
  AlignedBuffer<float> memory_;
  std::vector<BlockActivations> blocks_;
  float* embedding_ = nullptr;
  float* scratch_ = nullptr;
  float* ln_f_ = nullptr;
  float* ln_f_mean_ = nullptr;
  float* ln_f_inverse_ = nullptr;
};

}  // namespace limelight
