// The forward pass of transformer.cpp, walked backwards. Each step stands under the line of the
// forward that it undoes.

#include <limelight/error.h>

#include "layers/activation.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/normalization.h"
#include "model/head_views.h"
#include "model/transformer.h"

namespace limelight {

/// Gradients that live only while one block is walked; reused by every block.
struct BackwardScratch {
  BackwardScratch(const TransformerConfig& config, std::int64_t tokens)
      : grad_norm(size(tokens, config.width)),
        grad_context(size(tokens, config.width)),
        grad_qkv(size(tokens, 3 * config.width)),
        grad_inner(size(tokens, config.inner_width)) {}

  AlignedBuffer<float> grad_norm;     ///< [tokens, width]
  AlignedBuffer<float> grad_context;  ///< [tokens, width]
  AlignedBuffer<float> grad_qkv;      ///< [tokens, 3 * width]
  AlignedBuffer<float> grad_inner;    ///< [tokens, inner_width]

 private:
  static std::size_t size(std::int64_t rows, std::int64_t columns) {
    return static_cast<std::size_t>(rows * columns);
  }
};

void Transformer::backward(std::span<const std::int32_t> ids, Activations& activations,
                           const float* grad_logits, std::span<float> gradients) const {
  if (!activations.keeps_all_layers()) {
    throw Error("activations: expected those of a forward that kept all layers");
  }
  if (gradients.size() != layout_.size()) {
    throw Error("gradients: expected " + std::to_string(layout_.size()) + " elements, got " +
                std::to_string(gradients.size()));
  }
  const Parameters<const float> p = parameter_views();
  const Parameters<float> g = parameters_in<float>(config_, layout_, gradients.data());
  const std::int64_t tokens = activations.tokens();
  const std::int64_t width = config_.width;
  BackwardScratch scratch(config_, tokens);
  AlignedBuffer<float> grad_stream(static_cast<std::size_t>(tokens * width));

  // logits = ln_f * output_embedding^T
  linear_backward({tokens, width, config_.vocab_size, /*weight_transposed=*/true},
                  activations.ln_f(), p.output_embedding, grad_logits, scratch.grad_norm.data(),
                  g.output_embedding, nullptr);
  // ln_f = norm(stream)
  layer_norm_backward(tokens, width, activations.residual_in(config_.num_layers), p.ln_f_gain,
                      activations.ln_f_mean(), activations.ln_f_inverse(), scratch.grad_norm.data(),
                      grad_stream.data(), g.ln_f_gain, g.ln_f_bias);

  for (std::int64_t layer = config_.num_layers - 1; layer >= 0; --layer) {
    block_backward(layer, activations, g.blocks[static_cast<std::size_t>(layer)],
                   grad_stream.data(), scratch);
  }

  // stream = token_embedding[ids] + position_embedding
  embedding_backward(activations.batch(), activations.length(), width, ids, 0, grad_stream.data(),
                     g.token_embedding, g.position_embedding);
}

// grad_stream is the gradient of what leaves the block, and becomes that of what enters it: the
// residual connection passes it on, each branch adds its own.
void Transformer::block_backward(std::int64_t layer, Activations& activations,
                                 const BlockParameters<float>& g, float* grad_stream,
                                 BackwardScratch& scratch) const {
  const BlockParameters<const float> p = parameter_views().blocks[static_cast<std::size_t>(layer)];
  const BlockActivations& a = activations.block(layer);
  const std::int64_t batch = activations.batch();
  const std::int64_t length = activations.length();
  const std::int64_t tokens = activations.tokens();
  const std::int64_t width = config_.width;
  const std::int64_t inner = config_.inner_width;
  float* grad_norm = scratch.grad_norm.data();
  float* grad_context = scratch.grad_context.data();
  float* grad_qkv = scratch.grad_qkv.data();
  float* grad_inner = scratch.grad_inner.data();

  // residual_out = residual_mid + mlp_activated * mlp_out_weight + mlp_out_bias
  linear_backward({tokens, inner, width}, a.mlp_activated, p.mlp_out_weight, grad_stream,
                  grad_inner, g.mlp_out_weight, g.mlp_out_bias);
  // mlp_activated = gelu(mlp_hidden)
  gelu_backward(config_.gelu, tokens * inner, a.mlp_hidden, grad_inner, grad_inner);
  // mlp_hidden = ln_2 * mlp_in_weight + mlp_in_bias
  linear_backward({tokens, width, inner}, a.ln_2, p.mlp_in_weight, grad_inner, grad_norm,
                  g.mlp_in_weight, g.mlp_in_bias);
  // ln_2 = norm(residual_mid)
  layer_norm_backward(tokens, width, a.residual_mid, p.ln_2_gain, a.ln_2_mean, a.ln_2_inverse,
                      grad_norm, grad_stream, g.ln_2_gain, g.ln_2_bias);

  // residual_mid = residual_in + context * attention_out_weight + attention_out_bias
  linear_backward({tokens, width, width}, a.context, p.attention_out_weight, grad_stream,
                  grad_context, g.attention_out_weight, g.attention_out_bias);
  // context = attention(query, key, value)
  attention_.backward(qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::query),
                      qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::key),
                      qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::value),
                      heads_view<ConstTensorView>(config_, batch, length, a.context),
                      lse_view<ConstTensorView>(config_, batch, length, a.lse),
                      heads_view<ConstTensorView>(config_, batch, length, grad_context),
                      qkv_view<TensorView>(config_, batch, length, grad_qkv, QkvPart::query),
                      qkv_view<TensorView>(config_, batch, length, grad_qkv, QkvPart::key),
                      qkv_view<TensorView>(config_, batch, length, grad_qkv, QkvPart::value),
                      {.causal = CausalAlignment::top_left});
  // qkv = ln_1 * qkv_weight + qkv_bias
  linear_backward({tokens, width, 3 * width}, a.ln_1, p.qkv_weight, grad_qkv, grad_norm,
                  g.qkv_weight, g.qkv_bias);
  // ln_1 = norm(residual_in)
  layer_norm_backward(tokens, width, activations.residual_in(layer), p.ln_1_gain, a.ln_1_mean,
                      a.ln_1_inverse, grad_norm, grad_stream, g.ln_1_gain, g.ln_1_bias);
}

}  // namespace limelight
