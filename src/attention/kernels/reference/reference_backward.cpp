// The passes of reference_forward.cpp, walked backwards. Above each gradient stands the forward
// that it undoes. Shapes for one (batch, kv head): key, grad_key [kv_len, head_dim]; value,
// grad_value [kv_len, value_dim]; for each query head that reads it: query, grad_query [q_len,
// head_dim]; grad_out [q_len, value_dim].

#include "attention/kernels/reference/reference_attention.h"
#include "attention/kernels/reference/reference_rows.h"
#include "base/parallel.h"

namespace limelight {
namespace {

/// Gradients of one kv head, summed over the query heads that read it.
struct KeyValueGradients {
  std::vector<double> key, value;
};

void head_backward(const AttentionShape& shape, const ConstTensorView& query,
                   const ConstTensorView& key, const ConstTensorView& value,
                   const ConstTensorView& grad_out, std::int64_t b, std::int64_t head,
                   const TensorView& grad_query, KeyValueGradients& sums) {
  const std::int64_t kv_head = shape.kv_head_of(head);
  for (std::int64_t i = 0; i < shape.q_len; ++i) {
    const ReferenceRow row = reference_row(shape, query, key, b, head, i);
    const auto visible = static_cast<std::int64_t>(row.weights.size());

    // out[i, d] = sum_j weights[j] value[j, d], so
    //   grad_weights[j]  = sum_d grad_out[i, d] value[j, d]
    //   grad_value[j, d] += weights[j] grad_out[i, d]
    std::vector<double> grad_weights(row.weights.size());
    for (std::int64_t j = 0; j < visible; ++j) {
      const auto at = static_cast<std::size_t>(j);
      for (std::int64_t d = 0; d < shape.value_dim; ++d) {
        const double grad = element(grad_out, b, head, i, d);
        grad_weights[at] += grad * element(value, b, kv_head, j, d);
        sums.value[static_cast<std::size_t>(j * shape.value_dim + d)] += row.weights[at] * grad;
      }
    }

    // weights = softmax(scores), so grad_scores[j] = weights[j] (grad_weights[j] - delta)
    //   with delta = sum_j weights[j] grad_weights[j].
    double delta = 0;
    for (std::size_t j = 0; j < row.weights.size(); ++j) delta += row.weights[j] * grad_weights[j];

    // scores[j] = softmax_scale * sum_d query[i, d] key[j, d], so
    //   grad_query[i, d] = softmax_scale * sum_j grad_scores[j] key[j, d]
    //   grad_key[j, d]  += softmax_scale * grad_scores[j] query[i, d]
    for (std::int64_t d = 0; d < shape.head_dim; ++d) {
      double grad_q = 0;
      for (std::int64_t j = 0; j < visible; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const double grad_score =
            shape.softmax_scale * row.weights[at] * (grad_weights[at] - delta);
        grad_q += grad_score * element(key, b, kv_head, j, d);
        sums.key[static_cast<std::size_t>(j * shape.head_dim + d)] +=
            grad_score * element(query, b, head, i, d);
      }
      set_element(grad_query, b, head, i, d, grad_q);
    }
  }
}

}  // namespace

void reference_backward(const AttentionShape& shape, const ConstTensorView& query,
                        const ConstTensorView& key, const ConstTensorView& value,
                        const ConstTensorView& grad_out, const TensorView& grad_query,
                        const TensorView& grad_key, const TensorView& grad_value) {
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  parallel_for(shape.batch * shape.num_kv_heads, [&](std::int64_t index) {
    const std::int64_t b = index / shape.num_kv_heads;
    const std::int64_t kv_head = index % shape.num_kv_heads;
    KeyValueGradients sums{
        std::vector<double>(static_cast<std::size_t>(shape.kv_len * shape.head_dim)),
        std::vector<double>(static_cast<std::size_t>(shape.kv_len * shape.value_dim))};
    for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      head_backward(shape, query, key, value, grad_out, b, head, grad_query, sums);
    }
    for (std::int64_t j = 0; j < shape.kv_len; ++j) {
      for (std::int64_t d = 0; d < shape.head_dim; ++d) {
        set_element(grad_key, b, kv_head, j, d,
                    sums.key[static_cast<std::size_t>(j * shape.head_dim + d)]);
      }
      for (std::int64_t d = 0; d < shape.value_dim; ++d) {
        set_element(grad_value, b, kv_head, j, d,
                    sums.value[static_cast<std::size_t>(j * shape.value_dim + d)]);
      }
    }
  });
}

}  // namespace limelight
