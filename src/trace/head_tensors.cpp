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

/// The token of a row that is kept; rows empty: all.
std::int64_t token_of(std::span<const std::int64_t> rows, std::int64_t row) {
  return rows.empty() ? row : rows[static_cast<std::size_t>(row)];
}

/// x with what comes after its row's token hidden: -infinity.
Matrix masked(Matrix x, std::span<const std::int64_t> rows) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto row = x.row(r);
    std::fill(row.begin() + token_of(rows, r) + 1, row.end(),
              -std::numeric_limits<float>::infinity());
  }
  return x;
}

Matrix weights_by_lse(Matrix masked_scores, std::span<const std::int64_t> rows,
                      std::span<const float> lse) {
  for (std::int64_t r = 0; r < masked_scores.rows; ++r) {
    const float row_lse = lse[static_cast<std::size_t>(token_of(rows, r))];
    for (float& value : masked_scores.row(r)) value = std::exp(value - row_lse);
  }
  return masked_scores;
}

/// What a head computes up to its weights; key and value of every token, the rest of those kept.
struct HeadNumbers {
  Matrix query, key, value, dots, scores, masked_scores, weights;
};

HeadNumbers numbers_of(const HeadPlace& place, MatrixView qkv, std::span<const float> lse) {
  const TransformerConfig& config = place.model.config();
  const auto part = [&](std::int64_t index) {
    return columns_of(qkv, index * config.width + place.head * config.head_dim(),
                      config.head_dim());
  };
  HeadNumbers made;
  made.query = rows_of(part(0), place.rows);
  made.key = rows_of(part(1), {});
  made.value = rows_of(part(2), {});
  made.dots = dot_products(made.query, made.key);
  made.scores = made.dots;
  const auto scale = static_cast<float>(softmax_scale_of(config));
  for (float& score : made.scores.values) score *= scale;
  made.masked_scores = masked(made.scores, place.rows);
  made.weights = weights_by_lse(made.masked_scores, place.rows, lse);
  return made;
}

HeadNumbers wrong_numbers_of(const HeadPlace& place, MatrixView qkv) {
  WrongHead head = attend_wrongly(*place.bug, place.model.config(), qkv.data, qkv.rows, place.head);
  const auto kept = [&](const Matrix& all) { return rows_of(all, place.rows); };
  return {kept(head.query),  std::move(head.key),      std::move(head.value), kept(head.dots),
          kept(head.scores), kept(head.masked_scores), kept(head.weights)};
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

void add_projected(Trace& trace, const HeadPlace& place, const char* name, Matrix values,
                   std::span<const std::int64_t> rows) {
  const auto named = [&](const std::string& what) {
    return head_tensor(place.layer, place.head, what);
  };
  const std::string own = name;
  trace.add(named(own), kTokenByHeadDim, std::move(values),
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
  // Without a position the attention itself is right.
  const bool right = !place.bug || *place.bug == Bug::no_position;
  HeadNumbers made = right ? numbers_of(place, qkv, lse) : wrong_numbers_of(place, qkv);
  add_projection(trace, place, "query", 0);
  add_projection(trace, place, "key", 1);
  add_projection(trace, place, "value", 2);
  add_projected(trace, place, "query", std::move(made.query), place.rows);
  add_projected(trace, place, "key", std::move(made.key), {});
  add_projected(trace, place, "value", std::move(made.value), {});

  const auto named = [&](const char* what) { return head_tensor(place.layer, place.head, what); };
  const auto add = [&](const char* name, Matrix values, Recipe recipe) {
    trace.add(named(name), kTokenByKey, std::move(values), std::move(recipe), listed(place.rows));
  };
  const double scale = softmax_scale_of(place.model.config());
  add("dots", std::move(made.dots), {Operation::dot_rows, {named("query"), named("key")}});
  add("scores", std::move(made.scores), {Operation::scale, {named("dots")}, scale});
  add("masked_scores", std::move(made.masked_scores), {Operation::causal_mask, {named("scores")}});
  add("weights", std::move(made.weights), {Operation::softmax, {named("masked_scores")}});
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
