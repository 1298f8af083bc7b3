#include "trace/head_trace.h"

#include <algorithm>
#include <cmath>

#include "layers/gemm.h"

namespace limelight {
namespace {

double softmax_scale_of(const TransformerConfig& config) {
  return 1 / std::sqrt(static_cast<double>(config.head_dim()));
}

/// Columns [first, first + count) of a matrix.
Matrix columns_of(const Matrix& from, std::int64_t first, std::int64_t count) {
  Matrix part(from.rows, count);
  for (std::int64_t row = 0; row < from.rows; ++row) {
    std::copy_n(from.row(row).begin() + first, count, part.row(row).begin());
  }
  return part;
}

float weight_of(float score, float lse) { return std::exp(score - lse); }

Matrix weights_of(const Matrix& scores, std::span<const float> lse) {
  Matrix weights(scores.rows, scores.columns);
  for (std::int64_t i = 0; i < scores.rows; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      weights.at(i, j) = weight_of(scores.at(i, j), lse[static_cast<std::size_t>(i)]);
    }
  }
  return weights;
}

}  // namespace

HeadTrace trace_head(const Transformer& model, const Trace& trace, std::int64_t layer,
                     std::int64_t head) {
  const TransformerConfig& config = model.config();
  const LayerTrace& from = trace.layers[static_cast<std::size_t>(layer)];
  const std::int64_t tokens = from.qkv.rows;
  const std::int64_t width = config.width;
  const std::int64_t head_dim = config.head_dim();
  const std::int64_t first = head * head_dim;

  HeadTrace out;
  out.layer = layer;
  out.head = head;
  out.softmax_scale = softmax_scale_of(config);
  out.query = columns_of(from.qkv, first, head_dim);
  out.key = columns_of(from.qkv, width + first, head_dim);
  out.value = columns_of(from.qkv, 2 * width + first, head_dim);
  out.context = columns_of(from.context, first, head_dim);

  out.dots = Matrix(tokens, tokens);
  gemm(tokens, tokens, head_dim, {out.query.values.data(), head_dim},
       {out.key.values.data(), head_dim, /*transposed=*/true}, false, out.dots.values.data(),
       tokens);
  out.scores = out.dots;
  for (float& score : out.scores.values) score *= static_cast<float>(out.softmax_scale);
  out.weights = weights_of(out.scores, from.lse.row(head));

  const float* output_rows =
      model.parameter_views().blocks[static_cast<std::size_t>(layer)].attention_out_weight +
      first * width;
  out.write = Matrix(tokens, width);
  gemm(tokens, width, head_dim, {out.context.values.data(), head_dim}, {output_rows, width}, false,
       out.write.values.data(), width);
  return out;
}

std::vector<float> weights_row(const Transformer& model, const Trace& trace, std::int64_t layer,
                               std::int64_t head, std::int64_t token) {
  const TransformerConfig& config = model.config();
  const LayerTrace& from = trace.layers[static_cast<std::size_t>(layer)];
  const std::int64_t head_dim = config.head_dim();
  const float* query = from.qkv.row(token).data() + head * head_dim;
  const auto scale = static_cast<float>(softmax_scale_of(config));
  std::vector<float> weights;
  for (std::int64_t j = 0; j <= token; ++j) {
    const float* key = from.qkv.row(j).data() + config.width + head * head_dim;
    float dot = 0;
    for (std::int64_t d = 0; d < head_dim; ++d) dot += query[d] * key[d];
    weights.push_back(weight_of(dot * scale, from.lse.at(head, token)));
  }
  return weights;
}

double effective_words(std::span<const float> weights) {
  double entropy = 0;
  for (const double weight : weights) {
    if (weight > 0) entropy -= weight * std::log(weight);
  }
  return std::exp(entropy);
}

}  // namespace limelight
