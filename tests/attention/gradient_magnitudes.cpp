#include "attention/gradient_magnitudes.h"

#include <cmath>
#include <limits>

#include "attention/kernels/reference/scores.h"
#include "attention/visibility.h"

namespace limelight::test {
namespace {

AttentionShape shape_of(const CaseSpec& spec) {
  return {spec.batch,    spec.num_heads, spec.num_kv_heads, spec.q_len,
          spec.past_len, spec.new_len,   spec.head_dim,     spec.value_dim};
}

void add_magnitudes(Tensor& tensor, std::int64_t row, double factor, const double* values) {
  const std::int64_t width = tensor.sizes()[3];
  for (std::int64_t d = 0; d < width; ++d) {
    tensor.set(row * width + d, tensor.get(row * width + d) + std::abs(factor * values[d]));
  }
}

/// One query head of a sequence with the key head that it reads.
struct Head {
  Head(const AttentionCase& inputs, const ForwardResult& forward, const AttentionShape& shape,
       const Sequence& s, std::int64_t h)
      : sequence(s),
        head(h),
        kv_head(h / shape.group()),
        query(rows(inputs.query)),
        out(rows(forward.out)),
        grad_out(rows(inputs.grad_out)),
        key(reference::load_keys(inputs.past_key.view(), inputs.key.view(), s, kv_head)),
        value(reference::load_keys(inputs.past_value.view(), inputs.value.view(), s, kv_head)) {}

  reference::Matrix rows(const Tensor& tensor) const {
    return reference::load_rows(tensor.view(), sequence.batch, head, sequence.first_query,
                                sequence.q_len);
  }

  const Sequence& sequence;
  std::int64_t head, kv_head;
  reference::Matrix query, out, grad_out, key, value;
};

/// What query i and key j of a head share.
struct Pair {
  double kept_weight, grad_dot;
};

Pair pair_of(const Head& h, const reference::ScoreRule& rule, const Visibility& visibility,
             double lse, std::int64_t i, std::int64_t j) {
  const double capped = rule.capped(reference::dot(h.query.row(i), h.key.row(j), h.key.columns));
  const double score = capped + visibility.added(h.sequence, h.head, i, j);
  const double weight = std::exp(score - lse);
  const double factor = visibility.dropout_factor(h.sequence, h.head, i, j);
  const double* grad_out = h.grad_out.row(i);
  const double grad_weight = factor * reference::dot(grad_out, h.value.row(j), h.value.columns);
  const double delta = reference::dot(grad_out, h.out.row(i), h.out.columns);
  return {weight * factor, weight * (grad_weight - delta) * rule.slope(capped)};
}

}  // namespace

BackwardResult gradient_magnitudes(const AttentionCase& inputs, const ForwardResult& forward) {
  const auto zeros = [](const Tensor& like) {
    return like.empty() ? Tensor() : Tensor(DType::f64, like.sizes());
  };
  BackwardResult sums;
  sums.query = zeros(inputs.query);
  sums.key = zeros(inputs.key);
  sums.value = zeros(inputs.value);
  sums.past_key = zeros(inputs.past_key);
  sums.past_value = zeros(inputs.past_value);
  const CaseSpec& spec = inputs.spec;
  const AttentionShape shape = shape_of(spec);
  const AttentionOptions options = inputs.options();
  const Visibility visibility(shape, options);
  const reference::ScoreRule rule(shape, options);
  for (const Sequence& s : visibility.sequences()) {
    for (std::int64_t n = 0; n < spec.num_heads; ++n) {
      const Head h(inputs, forward, shape, s, n);
      for (std::int64_t i = 0; i < s.q_len; ++i) {
        const std::int64_t row = (s.batch * spec.num_heads + n) * spec.q_len + s.first_query + i;
        const double lse = forward.lse.get(row);
        if (lse == -std::numeric_limits<double>::infinity()) continue;
        for (std::int64_t j = 0; j < s.kv_len; ++j) {
          if (!visibility.visible(s, n, i, j)) continue;
          const auto [kept_weight, grad_dot] = pair_of(h, rule, visibility, lse, i, j);
          const bool is_past = j < spec.past_len;
          const std::int64_t key_row =
              (s.batch * spec.num_kv_heads + h.kv_head) * (is_past ? spec.past_len : spec.new_len) +
              (is_past ? j : s.first_key + j - spec.past_len);
          add_magnitudes(is_past ? sums.past_value : sums.value, key_row, kept_weight,
                         h.grad_out.row(i));
          add_magnitudes(is_past ? sums.past_key : sums.key, key_row, grad_dot, h.query.row(i));
          add_magnitudes(sums.query, row, grad_dot, h.key.row(j));
        }
      }
    }
  }
  return sums;
}

}  // namespace limelight::test
