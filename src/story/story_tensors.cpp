#include "story/story_tensors.h"

#include <array>

#include "layers/gemm.h"
#include "layers/softmax.h"
#include "trace/head_tensors.h"

namespace limelight {
namespace {

using Axes = std::array<std::string, 2>;
const Axes kTokenByKey = {"token", "key_token"};
const Axes kTokenByWidth = {"token", "width"};

Matrix softmax_rows(MatrixView x) {
  Matrix out = rows_of(x, {});
  softmax_forward(out.rows, out.columns, out.values.data(), out.values.data());
  return out;
}

Matrix product(MatrixView a, MatrixView b) {
  Matrix out(a.rows, b.columns);
  gemm(a.rows, b.columns, a.columns, {a.data, a.stride}, {b.data, b.stride}, false,
       out.values.data(), b.columns);
  return out;
}

Matrix divided_by_sums(MatrixView x) {
  Matrix out = rows_of(x, {});
  for (std::int64_t r = 0; r < out.rows; ++r) {
    float sum = 0;
    for (const float value : out.row(r)) sum += value;
    for (float& value : out.row(r)) value /= sum;
  }
  return out;
}

}  // namespace

void add_similarity_tensors(Trace& trace, std::span<const std::int64_t> rows) {
  const std::vector<std::int64_t> kept(rows.begin(), rows.end());
  const MatrixView embedding = trace.values("embedding");
  const Matrix asking = rows_of(embedding, rows);
  Matrix dots(asking.rows, embedding.rows);
  gemm(dots.rows, dots.columns, embedding.columns, {asking.values.data(), asking.columns},
       {embedding.data, embedding.stride, /*transposed=*/true}, false, dots.values.data(),
       dots.columns);
  trace.add("embedding.dots", kTokenByKey, std::move(dots),
            {Operation::dot_rows, {"embedding", "embedding"}}, kept);
  const MatrixView made = trace.values("embedding.dots");
  trace.add("embedding.shares", kTokenByKey, divided_by_sums(made),
            {Operation::share_of_sum, {"embedding.dots"}}, kept);
  trace.add("embedding.weights", kTokenByKey, softmax_rows(made),
            {Operation::softmax, {"embedding.dots"}}, kept);
  trace.add("embedding.mix", kTokenByWidth, product(trace.values("embedding.weights"), embedding),
            {Operation::linear, {"embedding.weights", "embedding"}}, kept);
}

void add_ablation_tensors(Trace& trace, std::int64_t layer, std::int64_t head) {
  const auto named = [&](const char* what) { return head_tensor(layer, head, what); };
  const std::string input = layer_tensor(layer, "norm_1");
  const std::vector<std::int64_t> rows = trace.at(named("dots")).rows;
  const auto add_weights = [&](const char* name, const char* of) {
    trace.add(named(name), kTokenByKey, softmax_rows(trace.values(named(of))),
              {Operation::softmax, {named(of)}}, rows);
  };
  const auto add_mix = [&](const char* name, const char* weights) {
    trace.add(named(name), kTokenByWidth,
              product(trace.values(named(weights)), trace.values(input)),
              {Operation::linear, {named(weights), input}}, rows);
  };
  add_weights("unscaled_weights", "dots");
  add_mix("unscaled_mix", "unscaled_weights");
  add_weights("unmasked_weights", "scores");
  add_mix("input_mix", "weights");
}

void add_right_weights(Trace& trace, const Trace& right) {
  constexpr std::string_view kWeights = ".weights";
  for (const TraceTensor& tensor : right.tensors()) {
    if (!tensor.name.ends_with(kWeights)) continue;
    const std::string head = tensor.name.substr(0, tensor.name.size() - kWeights.size());
    trace.add(head + ".right_weights", tensor.axes, rows_of(tensor.values, {}), {}, tensor.rows);
  }
}

}  // namespace limelight
