#include "trace/head_tensors.h"

#include <algorithm>
#include <cmath>

#include "layers/gemm.h"

namespace limelight {
namespace {

using Axes = std::array<std::string, 2>;
const Axes kTokenByKey = {"token", "key_token"};
const Axes kTokenByHeadDim = {"token", "head_dim"};

std::vector<std::int64_t> listed(std::span<const std::int64_t> rows) {
  return {rows.begin(), rows.end()};
}

/// dots(i, j) = query i . key j, on the engine's own product.
Matrix dot_products(MatrixView query, MatrixView key) {
  Matrix dots(query.rows, key.rows);
  gemm(query.rows, key.rows, query.columns, {query.data, query.stride},
       {key.data, key.stride, /*transposed=*/true}, false, dots.values.data(), key.rows);
  return dots;
}

/// x with what comes after its row's token hidden: -infinity.
Matrix masked(const Matrix& x, const TraceTensor& query) {
  Matrix out = x;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto row = out.row(r);
    std::fill(row.begin() + query.token_of(r) + 1, row.end(),
              -std::numeric_limits<float>::infinity());
  }
  return out;
}

Matrix weights_by_lse(const Matrix& masked_scores, const TraceTensor& query,
                      std::span<const float> lse) {
  Matrix weights = masked_scores;
  for (std::int64_t r = 0; r < weights.rows; ++r) {
    const float row_lse = lse[static_cast<std::size_t>(query.token_of(r))];
    for (float& value : weights.row(r)) value = std::exp(value - row_lse);
  }
  return weights;
}

/// A head's part of a matrix [width, 3 * width] and of its bias, as tensors of their own.
void add_projection(Trace& trace, const HeadPlace& place, const char* name, std::int64_t part) {
  const TransformerConfig& config = place.model.config();
  const auto p = place.model.parameter_views().blocks[static_cast<std::size_t>(place.layer)];
  const std::int64_t first = part * config.width + place.head * config.head_dim();
  const auto named = [&](const char* what) {
    return head_tensor(place.layer, place.head, std::string(name) + what);
  };
  trace.add({.name = named("_matrix"),
             .axes = {"width", "head_dim"},
             .values = {p.qkv_weight + first, config.width, config.head_dim(), 3 * config.width}});
  if (!config.bias) return;
  trace.add({.name = named("_bias"),
             .axes = {"row", "head_dim"},
             .values = {p.qkv_bias + first, 1, config.head_dim()}});
}

void add_projected(Trace& trace, const HeadPlace& place, const char* name, MatrixView values,
                   std::span<const std::int64_t> rows) {
  const auto named = [&](const std::string& what) {
    return head_tensor(place.layer, place.head, what);
  };
  const std::string own = name;
  trace.add(named(own), kTokenByHeadDim, rows_of(values, rows),
            with_bias(place.model.config(), {Operation::linear,
                                             {layer_tensor(place.layer, "norm_1"),
                                              named(own + "_matrix"), named(own + "_bias")}}),
            listed(rows));
}

}  // namespace

double softmax_scale_of(const TransformerConfig& config) {
  return 1 / std::sqrt(static_cast<double>(config.head_dim()));
}

Matrix rows_of(MatrixView from, std::span<const std::int64_t> rows) {
  Matrix out(rows.empty() ? from.rows : std::ssize(rows), from.columns);
  for (std::int64_t r = 0; r < out.rows; ++r) {
    std::ranges::copy(from.row(rows.empty() ? r : rows[static_cast<std::size_t>(r)]),
                      out.row(r).begin());
  }
  return out;
}

Recipe with_bias(const TransformerConfig& config, Recipe recipe) {
  if (!config.bias) recipe.operands.pop_back();
  return recipe;
}

void add_head_scores(Trace& trace, const HeadPlace& place, MatrixView qkv,
                     std::span<const float> lse) {
  const TransformerConfig& config = place.model.config();
  const std::int64_t head_dim = config.head_dim();
  const auto named = [&](const char* what) { return head_tensor(place.layer, place.head, what); };
  const auto part = [&](std::int64_t index) {
    return columns_of(qkv, index * config.width + place.head * head_dim, head_dim);
  };
  add_projection(trace, place, "query", 0);
  add_projection(trace, place, "key", 1);
  add_projection(trace, place, "value", 2);
  add_projected(trace, place, "query", part(0), place.rows);
  add_projected(trace, place, "key", part(1), {});
  add_projected(trace, place, "value", part(2), {});

  const TraceTensor& query = trace.at(named("query"));
  Matrix dots = dot_products(query.values, trace.values(named("key")));
  Matrix scores = dots;
  const double scale = softmax_scale_of(config);
  for (float& score : scores.values) score *= static_cast<float>(scale);
  Matrix masked_scores = masked(scores, query);
  Matrix weights = weights_by_lse(masked_scores, query, lse);
  const auto add = [&](const char* name, Matrix values, Recipe recipe) {
    trace.add(named(name), kTokenByKey, std::move(values), std::move(recipe), listed(place.rows));
  };
  add("dots", std::move(dots), {Operation::dot_rows, {named("query"), named("key")}});
  add("scores", std::move(scores), {Operation::scale, {named("dots")}, scale});
  add("masked_scores", std::move(masked_scores), {Operation::causal_mask, {named("scores")}});
  add("weights", std::move(weights), {Operation::softmax, {named("masked_scores")}});
}

void add_head_context(Trace& trace, const HeadPlace& place, MatrixView context) {
  const TransformerConfig& config = place.model.config();
  const std::int64_t head_dim = config.head_dim();
  const std::int64_t first = place.head * head_dim;
  const auto named = [&](const char* what) { return head_tensor(place.layer, place.head, what); };
  trace.add(named("context"), kTokenByHeadDim,
            rows_of(columns_of(context, first, head_dim), place.rows),
            {Operation::linear, {named("weights"), named("value")}}, listed(place.rows));

  const auto p = place.model.parameter_views().blocks[static_cast<std::size_t>(place.layer)];
  const MatrixView output = {p.attention_out_weight + first * config.width, head_dim, config.width};
  trace.add({.name = named("output_matrix"), .axes = {"head_dim", "width"}, .values = output});
  const MatrixView own = trace.values(named("context"));
  Matrix write(own.rows, config.width);
  gemm(own.rows, config.width, head_dim, {own.data, own.stride}, {output.data, output.stride},
       false, write.values.data(), config.width);
  trace.add(named("write"), {"token", "width"}, std::move(write),
            {Operation::linear, {named("context"), named("output_matrix")}}, listed(place.rows));
}

}  // namespace limelight
