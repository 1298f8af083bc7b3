#include "model/transformer.h"

#include <limelight/error.h>

#include <string>

#include "base/instruction_set.h"
#include "layers/activation.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/normalization.h"
#include "model/head_views.h"

namespace limelight {
namespace {

void check_ids(const TransformerConfig& config, std::span<const std::int32_t> ids,
               const Activations& activations) {
  if (static_cast<std::int64_t>(ids.size()) != activations.tokens()) {
    throw Error("ids: expected " + std::to_string(activations.tokens()) +
                " token ids (batch * length of the activations), got " +
                std::to_string(ids.size()));
  }
  if (activations.length() > config.context_length) {
    throw Error("ids: expected at most " + std::to_string(config.context_length) +
                " tokens in a text (the context window), got " +
                std::to_string(activations.length()));
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= config.vocab_size) {
      throw Error("ids: expected token ids from 0 to " + std::to_string(config.vocab_size - 1) +
                  ", got " + std::to_string(id));
    }
  }
}

/// out = x * weight + bias, by tiles where the weight is packed for them.
void linear(const LinearShape& shape, const TileProduct* packed, const float* x,
            const float* weight, const float* bias, float* out) {
  if (packed) return packed->forward(*tile_unit(), shape.rows, x, bias, out);
  linear_forward(shape, x, weight, bias, out);
}

}  // namespace

Transformer::Transformer(const TransformerConfig& config, AttentionOperator attention)
    : config_(config), layout_(config), buffer_(layout_.size()), attention_(std::move(attention)) {}

void Transformer::set_precision(Precision precision) {
  tile_weights_.reset();
  if (precision == Precision::f32) return;
  if (tile_unit() == nullptr) {
    throw Error("precision: bf16 needs a tile unit (AMX or AVX512-BF16): " +
                reason_for_tile_unit() + "; use f32");
  }
  tile_weights_.emplace(config_, parameter_views());
}

void Transformer::forward(std::span<const std::int32_t> ids, Activations& activations,
                          Recorder* recorder) const {
  check_ids(config_, ids, activations);
  const Parameters<const float> p = parameter_views();
  const std::int64_t tokens = activations.tokens();

  embedding_forward(activations.batch(), activations.length(), config_.width, ids, 0,
                    p.token_embedding, p.position_embedding, activations.embedding());
  if (recorder)
    recorder->record(Door::embedding, 0, activations.embedding(), tokens, config_.width);

  for (std::int64_t layer = 0; layer < config_.num_layers; ++layer) {
    block_forward(layer, activations, recorder);
  }

  layer_norm_forward(tokens, config_.width, config_.layer_norm_epsilon,
                     activations.residual_in(config_.num_layers), p.ln_f_gain, p.ln_f_bias,
                     activations.ln_f(), activations.ln_f_mean(), activations.ln_f_inverse());
  if (recorder) recorder->record(Door::ln_f, 0, activations.ln_f(), tokens, config_.width);
}

// The stream x leaves a block as x + attention(norm(x)) + mlp(norm(that)).
void Transformer::block_forward(std::int64_t layer, Activations& activations,
                                Recorder* recorder) const {
  const BlockParameters<const float> p = parameter_views().blocks[static_cast<std::size_t>(layer)];
  const BlockTileWeights* packed =
      tile_weights_ ? &tile_weights_->blocks[static_cast<std::size_t>(layer)] : nullptr;
  const BlockActivations& a = activations.block(layer);
  const std::int64_t batch = activations.batch();
  const std::int64_t length = activations.length();
  const std::int64_t tokens = activations.tokens();
  const std::int64_t width = config_.width;
  const std::int64_t inner = config_.inner_width;
  float* branch = activations.scratch();
  const float* residual_in = activations.residual_in(layer);
  const auto record = [&](Door door, const float* values, std::int64_t columns) {
    if (recorder) recorder->record(door, layer, values, tokens, columns);
  };

  layer_norm_forward(tokens, width, config_.layer_norm_epsilon, residual_in, p.ln_1_gain,
                     p.ln_1_bias, a.ln_1, a.ln_1_mean, a.ln_1_inverse);
  record(Door::ln_1, a.ln_1, width);

  linear({tokens, width, 3 * width}, packed ? &packed->qkv : nullptr, a.ln_1, p.qkv_weight,
         p.qkv_bias, a.qkv);
  record(Door::qkv, a.qkv, 3 * width);

  attention_.forward(qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::query),
                     qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::key),
                     qkv_view<ConstTensorView>(config_, batch, length, a.qkv, QkvPart::value),
                     heads_view<TensorView>(config_, batch, length, a.context),
                     {.causal = CausalAlignment::top_left},
                     lse_view<TensorView>(config_, batch, length, a.lse));
  if (recorder) recorder->record(Door::lse, layer, a.lse, batch * config_.num_heads, length);
  record(Door::context, a.context, width);

  linear({tokens, width, width}, packed ? &packed->attention_out : nullptr, a.context,
         p.attention_out_weight, p.attention_out_bias, branch);
  record(Door::attention_out, branch, width);
  add(tokens * width, residual_in, branch, a.residual_mid);
  record(Door::residual_mid, a.residual_mid, width);

  layer_norm_forward(tokens, width, config_.layer_norm_epsilon, a.residual_mid, p.ln_2_gain,
                     p.ln_2_bias, a.ln_2, a.ln_2_mean, a.ln_2_inverse);
  record(Door::ln_2, a.ln_2, width);
  linear({tokens, width, inner}, packed ? &packed->mlp_in : nullptr, a.ln_2, p.mlp_in_weight,
         p.mlp_in_bias, a.mlp_hidden);
  record(Door::mlp_hidden, a.mlp_hidden, inner);
  gelu_forward(config_.gelu, tokens * inner, a.mlp_hidden, a.mlp_activated);
  record(Door::mlp_activated, a.mlp_activated, inner);
  linear({tokens, inner, width}, packed ? &packed->mlp_out : nullptr, a.mlp_activated,
         p.mlp_out_weight, p.mlp_out_bias, branch);
  record(Door::mlp_out, branch, width);
  add(tokens * width, a.residual_mid, branch, a.residual_out);
  record(Door::residual_out, a.residual_out, width);
}

void Transformer::logits(const float* ln_f, std::int64_t rows, float* logits) const {
  linear({rows, config_.width, config_.vocab_size, /*weight_transposed=*/true},
         tile_weights_ ? &tile_weights_->output : nullptr, ln_f, parameter_views().output_embedding,
         nullptr, logits);
}

}  // namespace limelight
