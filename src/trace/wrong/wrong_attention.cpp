#include "trace/wrong/wrong_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/gemm.h"
#include "layers/softmax.h"
#include "model/head_views.h"

namespace limelight {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Where the row of a head comes from.
struct RowSource {
  std::int64_t head;
  std::int64_t token;
};

/// A row of the right split is a row of the wrong one somewhere else: both walk the same memory,
/// one token by token, the other head by head.
RowSource source_of(Bug bug, RowSource row, std::int64_t heads, std::int64_t length) {
  if (bug != Bug::heads_wrong_axis) return row;
  const std::int64_t place = row.head * length + row.token;
  return {place % heads, place / heads};
}

Matrix split(Bug bug, const HeadInputs& inputs, const ConstTensorView& all) {
  const std::int64_t heads = all.size(1);
  const std::int64_t length = all.size(2);
  Matrix rows(length, all.size(3));
  for (std::int64_t t = 0; t < length; ++t) {
    const RowSource source = source_of(bug, {inputs.head, t}, heads, length);
    const float* row = all.data<float>() + inputs.batch * all.stride(0) +
                       source.head * all.stride(1) + source.token * all.stride(2);
    std::copy_n(row, rows.columns, rows.row(t).begin());
  }
  return rows;
}

/// a bT
Matrix dot_rows(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows, b.rows);
  gemm(a.rows, b.rows, a.columns, {a.values.data(), a.columns},
       {b.values.data(), b.columns, /*transposed=*/true}, false, out.values.data(), out.columns);
  return out;
}

/// a b
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows, b.columns);
  gemm(a.rows, b.columns, a.columns, {a.values.data(), a.columns}, {b.values.data(), b.columns},
       false, out.values.data(), out.columns);
  return out;
}

double scale_of(Bug bug, std::int64_t heads, std::int64_t head_dim) {
  if (bug == Bug::no_scale) return 1;
  const std::int64_t dimension = bug == Bug::scale_by_width ? heads * head_dim : head_dim;
  return 1 / std::sqrt(static_cast<double>(dimension));
}

Matrix scaled(Matrix x, double scale) {
  for (float& value : x.values) value *= static_cast<float>(scale);
  return x;
}

/// x with the later words hidden: query i sees keys j <= i.
Matrix hidden(Matrix x, float stand_in) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const auto row = x.row(i);
    std::fill(row.begin() + i + 1, row.end(), stand_in);
  }
  return x;
}

Matrix softmax_rows(Matrix x) {
  softmax_forward(x.rows, x.columns, x.values.data(), x.values.data());
  return x;
}

Matrix transposed(const Matrix& x) {
  Matrix out(x.columns, x.rows);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.columns; ++j) out.at(j, i) = x.at(i, j);
  }
  return out;
}

Matrix divided_by_row_sums(Matrix x) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    float sum = 0;
    for (const float value : x.row(i)) sum += value;
    for (float& value : x.row(i)) value /= sum;
  }
  return x;
}

Matrix weights_of(Bug bug, const Matrix& scores, const Matrix& masked_scores) {
  switch (bug) {
    case Bug::softmax_over_queries:
      return transposed(softmax_rows(transposed(masked_scores)));
    case Bug::mask_after_softmax:
      return hidden(softmax_rows(scores), 0);
    case Bug::mask_after_softmax_renormalised:
      return divided_by_row_sums(hidden(softmax_rows(scores), 0));
    default:
      return softmax_rows(masked_scores);
  }
}

/// log-sum-exp of every row, as the contract of attention() has it.
void write_lse(const Matrix& masked_scores, float* lse, std::int64_t stride) {
  for (std::int64_t i = 0; i < masked_scores.rows; ++i) {
    const auto row = masked_scores.row(i);
    const double largest = *std::ranges::max_element(row);
    double sum = 0;
    for (const float score : row) sum += std::exp(score - largest);
    lse[i * stride] = static_cast<float>(largest + std::log(sum));
  }
}

void attend_all_heads(Bug bug, HeadInputs inputs, const TensorView& out, const TensorView& lse) {
  for (inputs.batch = 0; inputs.batch < out.size(0); ++inputs.batch) {
    for (inputs.head = 0; inputs.head < out.size(1); ++inputs.head) {
      const WrongHead head = attend_wrongly(bug, inputs);
      for (std::int64_t t = 0; t < out.size(2); ++t) {
        std::ranges::copy(head.context.row(t), out.data<float>() + inputs.batch * out.stride(0) +
                                                   inputs.head * out.stride(1) + t * out.stride(2));
      }
      if (lse.empty()) continue;
      write_lse(head.masked_scores,
                lse.data<float>() + inputs.batch * lse.stride(0) + inputs.head * lse.stride(1),
                lse.stride(2));
    }
  }
}

AttentionOperator wrong_attention(Bug bug) {
  AttentionOperator wrong;
  wrong.forward = [bug](const ConstTensorView& query, const ConstTensorView& key,
                        const ConstTensorView& value, const TensorView& out,
                        const AttentionOptions&, const TensorView& lse) {
    attend_all_heads(bug, {query, key, value}, out, lse);
  };
  wrong.backward = [](auto&&...) {
    throw Error("attention: a model that is wrong on purpose has no gradients");
  };
  return wrong;
}

}  // namespace

WrongHead attend_wrongly(Bug bug, const HeadInputs& inputs) {
  WrongHead head;
  head.query = split(bug, inputs, inputs.query);
  head.key = split(bug, inputs, inputs.key);
  head.value = split(bug, inputs, inputs.value);
  head.dots = dot_rows(head.query, head.key);
  head.scores = scaled(head.dots, scale_of(bug, inputs.query.size(1), head.query.columns));
  head.masked_scores = hidden(head.scores, bug == Bug::finite_mask ? kFiniteMask : kMinusInfinity);
  head.weights = weights_of(bug, head.scores, head.masked_scores);
  head.context = product(head.weights, head.value);
  return head;
}

WrongHead attend_wrongly(Bug bug, const TransformerConfig& config, const float* qkv,
                         std::int64_t length, std::int64_t head) {
  const auto part = [&](QkvPart which) {
    return qkv_view<ConstTensorView>(config, 1, length, qkv, which);
  };
  return attend_wrongly(bug,
                        {part(QkvPart::query), part(QkvPart::key), part(QkvPart::value), 0, head});
}

Matrix weights_with_stand_in(const Matrix& scores, float stand_in) {
  return softmax_rows(hidden(scores, stand_in));
}

WrongModel make_wrong(const Transformer& model, Bug bug) {
  Transformer wrong(model.config(),
                    bug == Bug::no_position ? own_attention() : wrong_attention(bug));
  std::ranges::copy(model.parameters(), wrong.parameters().begin());
  if (bug == Bug::no_position) {
    const auto p = parameters_in(wrong.config(), wrong.layout(), wrong.parameters().data());
    std::fill_n(p.position_embedding, wrong.config().context_length * wrong.config().width, 0.0f);
  }
  return {bug, std::move(wrong)};
}

}  // namespace limelight
