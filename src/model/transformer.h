#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/aligned_buffer.h"
#include "model/activations.h"
#include "model/attention_operator.h"
#include "model/parameters.h"
#include "model/recorder.h"
#include "model/tile_weights.h"
#include "model/transformer_config.h"

namespace limelight {

/// What a model's linear layers are computed in. bf16: by a tile unit, weights and inputs
/// rounded to 8 digits and summed in f32; see TileProduct for the error of one layer.
enum class Precision : std::uint8_t { f32, bf16 };

/// A GPT-2 transformer: a configuration, its parameters in one buffer, and the attention that it
/// runs on. forward() and the other const methods may be called from several threads, each with
/// Activations of its own. The same bits whatever the number of threads.
class Transformer {
 public:
  /// All parameters zero.
  explicit Transformer(const TransformerConfig& config,
                       AttentionOperator attention = own_attention());

  const TransformerConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  std::span<float> parameters() { return buffer_.span(); }
  std::span<const float> parameters() const { return buffer_.span(); }
  Parameters<const float> parameter_views() const {
    return parameters_in<const float>(config_, layout_, buffer_.data());
  }

  /// What forward() and logits() compute linear layers in; f32 until this is called. bf16 takes the
  /// parameters as they are now: what changes later has no effect on it. backward() is in f32.
  /// Throws Error where the machine has no tile unit, and says why.
  void set_precision(Precision precision);

  /// Runs token ids [batch, length] through every block and the final norm, into `activations`.
  /// Throws Error when the ids do not fit the activations, the vocabulary or the context window.
  void forward(std::span<const std::int32_t> ids, Activations& activations,
               Recorder* recorder = nullptr) const;

  /// logits [rows, vocab_size] of rows of the final norm's output [rows, width].
  void logits(const float* ln_f, std::int64_t rows, float* logits) const;

  /// After a forward that kept all layers: ADDS to `gradients` (a buffer with layout()) the
  /// gradient of the loss whose gradient with respect to the logits [tokens, vocab_size] is given.
  void backward(std::span<const std::int32_t> ids, Activations& activations,
                const float* grad_logits, std::span<float> gradients) const;

 private:
  void block_forward(std::int64_t layer, Activations& activations, Recorder* recorder) const;
  void block_backward(std::int64_t layer, Activations& activations,
                      const BlockParameters<float>& gradients, float* grad_stream,
                      struct BackwardScratch& scratch) const;

  TransformerConfig config_;
  ParameterLayout layout_;
  AlignedBuffer<float> buffer_;
  AttentionOperator attention_;
  std::optional<TileWeights> tile_weights_;  ///< in bf16 alone
};

}  // namespace limelight
