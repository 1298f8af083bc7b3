#include "trace/selectivity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "trace/head_tensors.h"

namespace limelight {
namespace {

/// Looks at one token's row of every head while the run goes by.
class HeadScout : public Recorder {
 public:
  HeadScout(const Transformer& model, std::int64_t token, std::optional<std::int64_t> layer,
            std::optional<std::int64_t> head)
      : config_(model.config()), token_(token), layer_(layer), head_(head) {}

  void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
              std::int64_t width) override {
    if (layer_ && *layer_ != layer) return;
    if (door == Door::qkv) qkv_ = rows_of({values, rows, width}, {});
    if (door != Door::lse) return;
    const MatrixView lse = {values, rows, width};
    for (std::int64_t head = 0; head < config_.num_heads; ++head) {
      if (!head_ || *head_ == head) consider(layer, head, lse.at(head, token_));
    }
  }

  std::vector<HeadChoice> seen() { return std::move(seen_); }

 private:
  void consider(std::int64_t layer, std::int64_t head, float lse) {
    const std::vector<float> row = weights_row(head, lse);
    const auto largest = std::ranges::max_element(row) - row.begin();
    seen_.push_back(
        {layer, head, effective_words(row), largest != 0 && largest != std::ssize(row) - 1});
  }

  std::vector<float> weights_row(std::int64_t head, float lse) const {
    const std::int64_t head_dim = config_.head_dim();
    const float* query = qkv_.row(token_).data() + head * head_dim;
    const auto scale = static_cast<float>(softmax_scale_of(config_));
    std::vector<float> weights;
    for (std::int64_t j = 0; j <= token_; ++j) {
      const float* key = qkv_.row(j).data() + config_.width + head * head_dim;
      float dot = 0;
      for (std::int64_t d = 0; d < head_dim; ++d) dot += query[d] * key[d];
      weights.push_back(std::exp(dot * scale - lse));
    }
    return weights;
  }

  const TransformerConfig& config_;
  std::int64_t token_;
  std::optional<std::int64_t> layer_, head_;
  Matrix qkv_;
  std::vector<HeadChoice> seen_;
};

}  // namespace

double effective_words(std::span<const float> weights) {
  double entropy = 0;
  for (const double weight : weights) {
    if (weight > 0) entropy -= weight * std::log(weight);
  }
  return std::exp(entropy);
}

bool selects_more(const HeadChoice& a, const HeadChoice& b) {
  if (a.looks_elsewhere != b.looks_elsewhere) return a.looks_elsewhere;
  return a.effective_words < b.effective_words;
}

std::vector<HeadChoice> look_at_heads(const Transformer& model, std::span<const std::int32_t> ids,
                                      std::int64_t token, std::optional<std::int64_t> layer,
                                      std::optional<std::int64_t> head) {
  HeadScout scout(model, token, layer, head);
  Activations activations(model.config(), 1, std::ssize(ids), /*keep_all_layers=*/false);
  model.forward(ids, activations, &scout);
  return scout.seen();
}

HeadChoice choose_head(const Transformer& model, std::span<const std::int32_t> ids,
                       std::int64_t token, std::optional<std::int64_t> layer,
                       std::optional<std::int64_t> head) {
  const std::vector<HeadChoice> heads = look_at_heads(model, ids, token, layer, head);
  return *std::ranges::min_element(heads, selects_more);
}

}  // namespace limelight
