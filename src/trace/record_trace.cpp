#include <fmt/format.h>
#include <limelight/error.h>

#include <algorithm>
#include <numeric>

#include "trace/head_tensors.h"
#include "trace/trace.h"

namespace limelight {
namespace {

using Axes = std::array<std::string, 2>;
const Axes kTokenByWidth = {"token", "width"};

std::vector<std::int64_t> chosen_of(const std::optional<std::vector<std::int64_t>>& chosen,
                                    std::int64_t count, const char* what) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  if (!chosen) return all;
  std::vector<std::int64_t> sorted = *chosen;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  for (const std::int64_t index : sorted) {
    if (index < 0 || index >= count) {
      throw Error(fmt::format("selection.{}: expected 0 to {}, got {}", what, count - 1, index));
    }
  }
  return sorted;
}

/// Gives what passes each door its name and its recipe. A recipe whose operands the selection left
/// out is `given`: there is nothing to prove it from.
class TraceRecorder : public Recorder {
 public:
  TraceRecorder(const Transformer& model, const TraceSelection& selection, std::optional<Bug> bug,
                Trace& trace)
      : model_(model),
        bug_(bug),
        config_(model.config()),
        trace_(trace),
        layers_(chosen_of(selection.layers, config_.num_layers, "layers")),
        heads_(chosen_of(selection.heads, config_.num_heads, "heads")) {
    const std::int64_t tokens = std::ssize(trace.ids);
    if (selection.tokens) rows_ = chosen_of(selection.tokens, tokens, "tokens");
    if (std::ssize(rows_) == tokens) rows_.clear();
    last_rows_ = rows_;
    // The logits are taken from the last token.
    if (!rows_.empty() && rows_.back() != tokens - 1) last_rows_.push_back(tokens - 1);
    if (selection.path_of) {
      path_of_ = chosen_of(std::vector{*selection.path_of}, tokens, "path_of").front();
      path_ = Matrix(config_.num_layers + 1, config_.width);
    }
  }

  /// What is complete only when the run is over.
  void finish() {
    if (path_of_) trace_.add("stream_path", {"depth", "width"}, std::move(path_), {});
  }

  void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
              std::int64_t width) override {
    const MatrixView seen = {values, rows, width};
    switch (door) {
      case Door::embedding:
        return embedding(seen);
      case Door::ln_f:
        return final_norm(seen);
      default:
        if (std::binary_search(layers_.begin(), layers_.end(), layer)) in_layer(door, layer, seen);
        if (door == Door::residual_out) leave_layer(layer, seen);
    }
  }

 private:
  void in_layer(Door door, std::int64_t layer, MatrixView seen) {
    const auto name = [&](const char* what) { return layer_tensor(layer, what); };
    const auto p = model_.parameter_views().blocks[static_cast<std::size_t>(layer)];
    switch (door) {
      case Door::ln_1:
        add_stream_in(layer);
        return add_norm(name("norm_1"), name("stream_in"), seen, {p.ln_1_gain, p.ln_1_bias}, {});
      case Door::qkv:
        qkv_ = rows_of(seen, {});
        return;
      case Door::lse:
        for (const std::int64_t head : heads_) {
          add_head_scores(trace_, {model_, layer, head, rows_, bug_}, qkv_, seen.row(head));
        }
        return;
      case Door::context:
        return add_context(layer, seen);
      case Door::attention_out:
        return add_linear(name("attention_out"), name("context"), name("output"), seen,
                          {p.attention_out_weight, p.attention_out_bias, config_.width});
      case Door::residual_mid:
        return add_rows(name("stream_mid"), kTokenByWidth, seen,
                        {Operation::add, {name("stream_in"), name("attention_out")}});
      case Door::ln_2:
        return add_norm(name("norm_2"), name("stream_mid"), seen, {p.ln_2_gain, p.ln_2_bias},
                        rows_);
      case Door::mlp_hidden:
        return add_linear(name("mlp_hidden"), name("norm_2"), name("mlp_in"), seen,
                          {p.mlp_in_weight, p.mlp_in_bias, config_.width});
      case Door::mlp_activated:
        return add_rows(
            name("mlp_activated"), {"token", "inner"}, seen,
            {config_.gelu == GeluForm::tanh ? Operation::gelu_tanh : Operation::gelu_exact,
             {name("mlp_hidden")}});
      case Door::mlp_out:
        return add_linear(name("mlp_out"), name("mlp_activated"), name("mlp_out"), seen,
                          {p.mlp_out_weight, p.mlp_out_bias, config_.inner_width});
      case Door::residual_out:
        return add_rows(name("stream_out"), kTokenByWidth, seen,
                        {Operation::add, {name("stream_mid"), name("mlp_out")}});
      default:
        return;
    }
  }

  void leave_layer(std::int64_t layer, MatrixView seen) {
    stream_ = std::make_shared<const Matrix>(rows_of(seen, {}));
    keep_path(layer + 1, seen);
  }

  void keep_path(std::int64_t depth, MatrixView stream) {
    if (path_of_) std::ranges::copy(stream.row(*path_of_), path_.row(depth).begin());
  }

  void embedding(MatrixView seen) {
    keep_path(0, seen);
    const Parameters<const float> p = model_.parameter_views();
    Matrix tokens(seen.rows, seen.columns);
    Matrix positions(seen.rows, seen.columns);
    for (std::int64_t t = 0; t < seen.rows; ++t) {
      const std::int64_t id = trace_.ids[static_cast<std::size_t>(t)];
      std::copy_n(p.token_embedding + id * seen.columns, seen.columns, tokens.row(t).begin());
      std::copy_n(p.position_embedding + t * seen.columns, seen.columns, positions.row(t).begin());
    }
    trace_.add("token_embedding", kTokenByWidth, std::move(tokens), {});
    trace_.add("position_embedding", kTokenByWidth, std::move(positions), {});
    trace_.add("embedding", kTokenByWidth, rows_of(seen, {}),
               {Operation::add, {"token_embedding", "position_embedding"}});
    stream_ = trace_.at("embedding").storage;
  }

  void add_stream_in(std::int64_t layer) {
    const std::string before = layer == 0 ? "embedding" : layer_tensor(layer - 1, "stream_out");
    // With a few rows kept, the stream that the layer before left is not there whole.
    const bool whole = trace_.contains(before) && trace_.at(before).rows.empty();
    trace_.add({.name = layer_tensor(layer, "stream_in"),
                .axes = kTokenByWidth,
                .values = *stream_,
                .recipe = whole ? Recipe{Operation::add, {before}} : Recipe{},
                .storage = stream_});
  }

  void add_context(std::int64_t layer, MatrixView seen) {
    Recipe joined = {Operation::join, {}};
    for (const std::int64_t head : heads_) {
      add_head_context(trace_, {model_, layer, head, rows_}, seen);
      joined.operands.push_back(head_tensor(layer, head, "context"));
    }
    if (std::ssize(heads_) != config_.num_heads) joined = {};
    add_rows(layer_tensor(layer, "context"), kTokenByWidth, seen, joined);
  }

  struct NormParameters {
    const float* gain;
    const float* bias;
  };
  void add_norm(const std::string& name, const std::string& of, MatrixView seen, NormParameters p,
                const std::vector<std::int64_t>& rows) {
    add_parameter(name + "_gain", {"row", "width"}, {p.gain, 1, config_.width});
    if (config_.bias) add_parameter(name + "_bias", {"row", "width"}, {p.bias, 1, config_.width});
    trace_.add(name, kTokenByWidth, rows_of(seen, rows),
               with_bias(config_, {Operation::layer_norm,
                                   {of, name + "_gain", name + "_bias"},
                                   config_.layer_norm_epsilon}),
               rows);
  }

  struct LinearParameters {
    const float* weight;
    const float* bias;
    std::int64_t in_width;
  };
  void add_linear(const std::string& name, const std::string& of, const std::string& parameters,
                  MatrixView seen, LinearParameters p) {
    add_parameter(parameters + "_matrix", {"in", "out"}, {p.weight, p.in_width, seen.columns});
    if (config_.bias)
      add_parameter(parameters + "_bias", {"row", "out"}, {p.bias, 1, seen.columns});
    add_rows(name, {"token", seen.columns == config_.width ? "width" : "inner"}, seen,
             with_bias(config_,
                       {Operation::linear, {of, parameters + "_matrix", parameters + "_bias"}}));
  }

  void final_norm(MatrixView seen) {
    const Parameters<const float> p = model_.parameter_views();
    const std::string last = layer_tensor(config_.num_layers - 1, "stream_out");
    const TraceTensor* stream = trace_.find(last);
    const bool provable = stream != nullptr && stream->rows == last_rows_;
    add_norm("final_norm", last, seen, {p.ln_f_gain, p.ln_f_bias}, last_rows_, provable);
  }

  void add_norm(const std::string& name, const std::string& of, MatrixView seen, NormParameters p,
                const std::vector<std::int64_t>& rows, bool provable) {
    if (provable) return add_norm(name, of, seen, p, rows);
    trace_.add(name, kTokenByWidth, rows_of(seen, rows), {}, rows);
  }

  void add_parameter(const std::string& name, Axes axes, MatrixView values) {
    trace_.add({.name = name, .axes = std::move(axes), .values = values});
  }

  void add_rows(const std::string& name, Axes axes, MatrixView seen, Recipe recipe) {
    trace_.add(name, std::move(axes), rows_of(seen, rows_), std::move(recipe), rows_);
  }

  const Transformer& model_;
  std::optional<Bug> bug_;
  const TransformerConfig& config_;
  Trace& trace_;
  std::vector<std::int64_t> layers_, heads_;
  std::vector<std::int64_t> rows_;        ///< empty: all
  std::vector<std::int64_t> last_rows_;   ///< the same and the last token
  std::shared_ptr<const Matrix> stream_;  ///< as it leaves the latest layer
  Matrix qkv_;                            ///< of the layer at work
  std::optional<std::int64_t> path_of_;
  Matrix path_;  ///< [num_layers + 1, width]
};

/// logits after the last token.
void add_logits(const Transformer& model, Trace& trace) {
  const TransformerConfig& config = model.config();
  const std::int64_t last = std::ssize(trace.ids) - 1;
  trace.add(
      {.name = "output_embedding",
       .axes = {"vocabulary", "width"},
       .values = {model.parameter_views().output_embedding, config.vocab_size, config.width}});
  Matrix logits(1, config.vocab_size);
  model.logits(trace.row("final_norm", last).data(), 1, logits.values.data());
  trace.add("logits", {"token", "vocabulary"}, std::move(logits),
            {Operation::dot_rows, {"final_norm", "output_embedding"}}, {last});
}

}  // namespace

Trace record_trace(const Transformer& model, std::span<const std::int32_t> ids,
                   const TraceSelection& selection, const WrongModel* wrong) {
  Trace trace;
  trace.ids.assign(ids.begin(), ids.end());
  const Transformer& running = wrong != nullptr ? wrong->transformer : model;
  TraceRecorder recorder(model, selection,
                         wrong != nullptr ? std::optional(wrong->bug) : std::nullopt, trace);
  Activations activations(model.config(), 1, std::ssize(ids), /*keep_all_layers=*/false);
  running.forward(ids, activations, &recorder);
  recorder.finish();
  add_logits(model, trace);
  return trace;
}

}  // namespace limelight
