#include "story/cost.h"

#include <limelight/attention.h>

#include <algorithm>
#include <chrono>

#include "base/multiply_add_rate.h"
#include "base/parallel.h"
#include "model/head_views.h"

namespace limelight {
namespace {

constexpr int kRuns = 3;

template <class Body>
double fastest(const Body& body) {
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (run == 0 || seconds.count() < best) best = seconds.count();
  }
  return best;
}

/// Two products over the causal half: scores and contexts.
double attention_operations(const TransformerConfig& config, double tokens) {
  return 2 * 2 * static_cast<double>(config.width) * tokens * (tokens + 1) / 2;
}

double matrix_parameters(const TransformerConfig& config) {
  const auto width = static_cast<double>(config.width);
  return static_cast<double>(config.num_layers) *
         (4 * width * width + 2 * width * static_cast<double>(config.inner_width));
}

}  // namespace

Cost measure_cost(const Transformer& model, std::span<const std::int32_t> ids) {
  const TransformerConfig& config = model.config();
  const auto tokens = static_cast<double>(ids.size());
  const auto width = static_cast<double>(config.width);
  const auto layers = static_cast<double>(config.num_layers);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  Activations activations(config, 1, std::ssize(ids), /*keep_all_layers=*/false);
  std::vector<float> logits(static_cast<std::size_t>(config.vocab_size));

  Cost cost;
  cost.seconds = fastest([&] {
    model.forward(ids, activations);
    model.logits(activations.ln_f() + (std::ssize(ids) - 1) * config.width, 1, logits.data());
  });
  cost.attention_operations = attention_operations(config, tokens);
  cost.operations = 2 * tokens * matrix_parameters(config) + layers * cost.attention_operations +
                    2 * width * vocabulary;
  cost.bytes =
      sizeof(float) * (matrix_parameters(config) + width * vocabulary +
                       layers * tokens * (8 * width + 2 * static_cast<double>(config.inner_width)));
  // The block's qkv are there from the run; its context is written again.
  const BlockActivations& block = activations.block(config.num_layers - 1);
  const auto part = [&](QkvPart which) {
    return qkv_view<ConstTensorView>(config, 1, std::ssize(ids), block.qkv, which);
  };
  cost.attention_seconds = fastest([&] {
    attention(part(QkvPart::query), part(QkvPart::key), part(QkvPart::value),
              heads_view<TensorView>(config, 1, std::ssize(ids), block.context),
              {.causal = CausalAlignment::top_left});
  });
  cost.operations_ceiling = measure_multiply_add_rate(most_threads());
  return cost;
}

}  // namespace limelight
