#include "trace/proof.h"

#include <limelight/attention.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "model/head_views.h"
#include "trace/reference_layers.h"

namespace limelight {
namespace {

/// Keeps the larger; NaN is larger than any number, and stays.
void keep_largest(double& largest, double value) {
  if (std::isnan(value) || value > largest) largest = value;
}

StageProof compare(std::string stage, const Matrix& recorded, const Matrix64& reference) {
  StageProof proof{std::move(stage), 0, 0};
  for (std::size_t i = 0; i < recorded.values.size(); ++i) {
    keep_largest(proof.largest_difference, std::fabs(recorded.values[i] - reference.values[i]));
    proof.largest_value = std::max(proof.largest_value, std::fabs(reference.values[i]));
  }
  return proof;
}

std::string measured(const char* what, double value) {
  char text[96];
  std::snprintf(text, sizeof text, "%s %.1e", what, value);
  return text;
}

/// Scores and weights of one head, from its recorded query and key.
struct ReferenceHead {
  Matrix64 scores, weights, context;
};

ReferenceHead reference_head(const HeadTrace& head) {
  const std::int64_t tokens = head.query.rows;
  ReferenceHead out{Matrix64(tokens, tokens), Matrix64(tokens, tokens),
                    Matrix64(tokens, head.value.columns)};
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      double dot = 0;
      for (std::int64_t d = 0; d < head.query.columns; ++d) {
        dot += static_cast<double>(head.query.at(i, d)) * head.key.at(j, d);
      }
      out.scores.at(i, j) = dot * head.softmax_scale;
    }
  }
  for (std::int64_t i = 0; i < tokens; ++i) {
    double maximum = out.scores.at(i, 0);
    for (std::int64_t j = 0; j <= i; ++j) maximum = std::max(maximum, out.scores.at(i, j));
    double sum = 0;
    for (std::int64_t j = 0; j <= i; ++j) sum += std::exp(out.scores.at(i, j) - maximum);
    for (std::int64_t j = 0; j <= i; ++j) {
      out.weights.at(i, j) = std::exp(out.scores.at(i, j) - maximum) / sum;
      for (std::int64_t d = 0; d < head.value.columns; ++d) {
        out.context.at(i, d) += out.weights.at(i, j) * head.value.at(j, d);
      }
    }
  }
  return out;
}

/// All heads' context of a layer, by the attention room's float64 oracle.
Matrix64 oracle_context(const TransformerConfig& config, const LayerTrace& layer) {
  const std::int64_t tokens = layer.qkv.rows;
  const Matrix64 qkv = widened(layer.qkv);
  Matrix64 context(tokens, config.width);
  const auto part = [&](QkvPart which) {
    const std::int64_t row = 3 * config.width;
    const std::array<std::int64_t, 4> sizes = {1, config.num_heads, tokens, config.head_dim()};
    const std::array<std::int64_t, 4> strides = {tokens * row, config.head_dim(), row, 1};
    return ConstTensorView(qkv.values.data() + static_cast<std::int64_t>(which) * config.width,
                           DType::f64, sizes, strides);
  };
  const std::array<std::int64_t, 4> sizes = {1, config.num_heads, tokens, config.head_dim()};
  const std::array<std::int64_t, 4> strides = {tokens * config.width, config.head_dim(),
                                               config.width, 1};
  attention(part(QkvPart::query), part(QkvPart::key), part(QkvPart::value),
            TensorView(context.values.data(), DType::f64, sizes, strides),
            {.causal = CausalAlignment::top_left});
  return context;
}

void prove_head_stages(const HeadTrace& head, Proof& proof) {
  const ReferenceHead reference = reference_head(head);
  proof.stages.push_back(compare("scores", head.scores, reference.scores));
  proof.stages.push_back(compare("weights", head.weights, reference.weights));
  proof.stages.push_back(compare("head context", head.context, reference.context));
}

void prove_layer_stages(const Transformer& model, const LayerTrace& layer,
                        const BlockParameters<const float>& p, Proof& proof) {
  const TransformerConfig& config = model.config();
  const double epsilon = config.layer_norm_epsilon;
  const auto check = [&](const char* stage, const Matrix& recorded, const Matrix64& reference) {
    proof.stages.push_back(compare(stage, recorded, reference));
  };
  check("norm 1", layer.ln_1,
        reference_layer_norm(layer.residual_in, epsilon, p.ln_1_gain, p.ln_1_bias));
  check("query, key, value", layer.qkv,
        reference_linear(layer.ln_1, p.qkv_weight, p.qkv_bias, 3 * config.width));
  check("context", layer.context, oracle_context(config, layer));
  check(
      "attention out", layer.attention_out,
      reference_linear(layer.context, p.attention_out_weight, p.attention_out_bias, config.width));
  check("stream after attention", layer.residual_mid,
        reference_sum(layer.residual_in, layer.attention_out));
  check("norm 2", layer.ln_2,
        reference_layer_norm(layer.residual_mid, epsilon, p.ln_2_gain, p.ln_2_bias));
  check("mlp hidden", layer.mlp_hidden,
        reference_linear(layer.ln_2, p.mlp_in_weight, p.mlp_in_bias, config.inner_width));
  check("gelu", layer.mlp_activated, reference_gelu(config.gelu, layer.mlp_hidden));
  check("mlp out", layer.mlp_out,
        reference_linear(layer.mlp_activated, p.mlp_out_weight, p.mlp_out_bias, config.width));
  check("stream after mlp", layer.residual_out, reference_sum(layer.residual_mid, layer.mlp_out));
}

void prove_weights(const HeadTrace& head, Proof& proof) {
  double largest_deviation = 0;
  bool masked_are_zero = true;
  for (std::int64_t i = 0; i < head.weights.rows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < head.weights.columns; ++j) {
      sum += head.weights.at(i, j);
      if (j > i && head.weights.at(i, j) != 0) masked_are_zero = false;
    }
    keep_largest(largest_deviation, std::fabs(sum - 1));
  }
  proof.invariants.push_back({"every row of weights sums to 1", largest_deviation <= 1e-5,
                              measured("largest |sum - 1|", largest_deviation)});
  proof.invariants.push_back({"masked weights are exactly 0", masked_are_zero,
                              masked_are_zero ? "all are" : "some are not"});
}

void prove_writes(const Transformer& model, const Trace& trace, const HeadTrace& head,
                  const BlockParameters<const float>& p, Proof& proof) {
  const LayerTrace& layer = trace.layers[static_cast<std::size_t>(head.layer)];
  const std::int64_t width = model.config().width;
  Matrix64 sum(layer.attention_out.rows, width);
  for (std::int64_t h = 0; h < model.config().num_heads; ++h) {
    const HeadTrace other = trace_head(model, trace, head.layer, h);
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += other.write.values[i];
  }
  for (std::int64_t row = 0; row < sum.rows; ++row) {
    for (std::int64_t c = 0; c < width && p.attention_out_bias; ++c) {
      sum.at(row, c) += p.attention_out_bias[c];
    }
  }
  const StageProof written = compare("head writes", layer.attention_out, sum);
  proof.invariants.push_back(
      {"the heads' writes add up to the layer's output",
       written.largest_difference <= 1e-5 * std::max(1.0, written.largest_value),
       measured("largest difference", written.largest_difference)});
}

}  // namespace

const StageProof& Proof::stage(const std::string& name) const {
  for (const StageProof& proof : stages) {
    if (proof.stage == name) return proof;
  }
  throw std::logic_error("no stage of a proof is called " + name);
}

bool Proof::holds() const {
  return std::all_of(invariants.begin(), invariants.end(),
                     [](const InvariantProof& proof) { return proof.holds; });
}

Proof prove(const Transformer& model, const Trace& trace, const HeadTrace& head) {
  const Parameters<const float> p = model.parameter_views();
  const BlockParameters<const float>& block = p.blocks[static_cast<std::size_t>(head.layer)];
  const Matrix& final_stream = trace.layers.back().residual_out;
  const double epsilon = model.config().layer_norm_epsilon;

  Proof proof;
  proof.stages.push_back(compare("embedding", trace.embedding,
                                 reference_sum(trace.token_embedding, trace.position_embedding)));
  prove_layer_stages(model, trace.layers[static_cast<std::size_t>(head.layer)], block, proof);
  prove_head_stages(head, proof);
  proof.stages.push_back(
      compare("final norm", trace.ln_f,
              reference_layer_norm(final_stream, epsilon, p.ln_f_gain, p.ln_f_bias)));
  Matrix last_row(1, model.config().width);
  std::ranges::copy(trace.ln_f.row(trace.ln_f.rows - 1), last_row.values.begin());
  proof.stages.push_back(compare(
      "logits", trace.logits,
      reference_linear(last_row, p.output_embedding, nullptr, model.config().vocab_size, true)));
  prove_weights(head, proof);
  prove_writes(model, trace, head, block, proof);
  return proof;
}

}  // namespace limelight
