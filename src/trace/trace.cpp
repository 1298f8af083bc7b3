#include "trace/trace.h"

#include <algorithm>

namespace limelight {
namespace {

/// Copies what passes each door into its place in a trace.
class TraceRecorder : public Recorder {
 public:
  explicit TraceRecorder(Trace& trace) : trace_(trace) {}

  void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
              std::int64_t width) override {
    Matrix& place = place_of(door, trace_.layers[static_cast<std::size_t>(layer)]);
    place = Matrix(rows, width);
    std::copy_n(values, rows * width, place.values.begin());
  }

 private:
  Matrix& place_of(Door door, LayerTrace& layer) {
    switch (door) {
      case Door::embedding:
        return trace_.embedding;
      case Door::ln_1:
        return layer.ln_1;
      case Door::qkv:
        return layer.qkv;
      case Door::lse:
        return layer.lse;
      case Door::context:
        return layer.context;
      case Door::attention_out:
        return layer.attention_out;
      case Door::residual_mid:
        return layer.residual_mid;
      case Door::ln_2:
        return layer.ln_2;
      case Door::mlp_hidden:
        return layer.mlp_hidden;
      case Door::mlp_activated:
        return layer.mlp_activated;
      case Door::mlp_out:
        return layer.mlp_out;
      case Door::residual_out:
        return layer.residual_out;
      case Door::ln_f:
        return trace_.ln_f;
    }
    return trace_.ln_f;
  }

  Trace& trace_;
};

void copy_table_rows(const Transformer& model, Trace& trace) {
  const Parameters<const float> p = model.parameter_views();
  const std::int64_t width = model.config().width;
  const auto tokens = static_cast<std::int64_t>(trace.ids.size());
  trace.token_embedding = Matrix(tokens, width);
  trace.position_embedding = Matrix(tokens, width);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int32_t id = trace.ids[static_cast<std::size_t>(t)];
    std::copy_n(p.token_embedding + id * width, width, trace.token_embedding.row(t).begin());
    std::copy_n(p.position_embedding + t * width, width, trace.position_embedding.row(t).begin());
  }
}

}  // namespace

Trace record_trace(const Transformer& model, std::span<const std::int32_t> ids) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  Trace trace;
  trace.ids.assign(ids.begin(), ids.end());
  trace.layers.resize(static_cast<std::size_t>(model.config().num_layers));
  Activations activations(model.config(), 1, tokens, /*keep_all_layers=*/false);
  TraceRecorder recorder(trace);
  model.forward(ids, activations, &recorder);

  copy_table_rows(model, trace);
  for (std::size_t layer = 0; layer < trace.layers.size(); ++layer) {
    trace.layers[layer].residual_in =
        layer == 0 ? trace.embedding : trace.layers[layer - 1].residual_out;
  }
  trace.logits = Matrix(1, model.config().vocab_size);
  model.logits(trace.ln_f.row(tokens - 1).data(), 1, trace.logits.values.data());
  return trace;
}

}  // namespace limelight
