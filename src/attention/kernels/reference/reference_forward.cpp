#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/kernels/reference/reference_attention.h"
#include "attention/kernels/reference/reference_rows.h"
#include "base/parallel.h"

namespace limelight {

// Passes 1 to 3 for query i of head h:
//   1. scores[j]  = softmax_scale * sum_d query[i, d] key[j, d]        for the keys j it sees
//   2. lse        = max + log sum_j exp(scores[j] - max)
//   3. weights[j] = exp(scores[j] - lse)
ReferenceRow reference_row(const AttentionShape& shape, const ConstTensorView& query,
                           const ConstTensorView& key, std::int64_t b, std::int64_t head,
                           std::int64_t i) {
  const std::int64_t visible = shape.visible_keys(i);
  const std::int64_t kv_head = shape.kv_head_of(head);
  std::vector<double> row(static_cast<std::size_t>(visible));
  if (row.empty()) return {row, -std::numeric_limits<double>::infinity()};
  for (std::int64_t j = 0; j < visible; ++j) {
    double dot = 0;
    for (std::int64_t d = 0; d < shape.head_dim; ++d) {
      dot += element(query, b, head, i, d) * element(key, b, kv_head, j, d);
    }
    row[static_cast<std::size_t>(j)] = shape.softmax_scale * dot;
  }
  const double maximum = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double score : row) sum += std::exp(score - maximum);
  const double lse = maximum + std::log(sum);
  for (double& entry : row) entry = std::exp(entry - maximum) / sum;
  return {row, lse};
}

//   4. out[i, d] = sum_j weights[j] value[j, d]
void reference_forward(const AttentionShape& shape, const ConstTensorView& query,
                       const ConstTensorView& key, const ConstTensorView& value,
                       const TensorView& out, const TensorView& lse) {
  parallel_for(shape.batch * shape.num_heads, [&](std::int64_t index) {
    const std::int64_t b = index / shape.num_heads;
    const std::int64_t head = index % shape.num_heads;
    const std::int64_t kv_head = shape.kv_head_of(head);
    for (std::int64_t i = 0; i < shape.q_len; ++i) {
      const ReferenceRow row = reference_row(shape, query, key, b, head, i);
      for (std::int64_t d = 0; d < shape.value_dim; ++d) {
        double sum = 0;
        for (std::size_t j = 0; j < row.weights.size(); ++j) {
          sum += row.weights[j] * element(value, b, kv_head, static_cast<std::int64_t>(j), d);
        }
        set_element(out, b, head, i, d, sum);
      }
      if (lse.empty()) continue;
      const std::int64_t at = b * lse.stride(0) + head * lse.stride(1) + i * lse.stride(2);
      if (lse.dtype() == DType::f64) {
        lse.data<double>()[at] = row.lse;
      } else {
        lse.data<float>()[at] = static_cast<float>(row.lse);
      }
    }
  });
}

}  // namespace limelight
