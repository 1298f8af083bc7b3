#include "attention/kernels/reference/scores.h"

#include <cmath>
#include <limits>

#include "attention/element.h"

namespace limelight::reference {

Matrix load_rows(ConstTensorView view, std::int64_t batch, std::int64_t head, std::int64_t first,
                 std::int64_t count) {
  Matrix matrix(count, view.size(3));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t start =
        batch * view.stride(0) + head * view.stride(1) + (first + i) * view.stride(2);
    for (std::int64_t d = 0; d < matrix.columns; ++d) {
      matrix.row(i)[d] = read_number(view.raw(), view.dtype(), start + d);
    }
  }
  return matrix;
}

void store_row(TensorView view, std::int64_t batch, std::int64_t head, std::int64_t row,
               const double* elements) {
  const std::int64_t start = batch * view.stride(0) + head * view.stride(1) + row * view.stride(2);
  for (std::int64_t d = 0; d < view.size(3); ++d) {
    write_number(view.raw(), view.dtype(), start + d, elements[d]);
  }
}

Matrix load_keys(ConstTensorView past, ConstTensorView current, const Sequence& sequence,
                 std::int64_t head) {
  const std::int64_t past_len = past.empty() ? 0 : past.size(2);
  const std::int64_t from_past = std::min(past_len, sequence.kv_len);
  Matrix keys =
      load_rows(current, sequence.batch, head, sequence.first_key, sequence.kv_len - from_past);
  if (from_past == 0) return keys;
  Matrix joined = load_rows(past, sequence.batch, head, 0, from_past);
  joined.elements.insert(joined.elements.end(), keys.elements.begin(), keys.elements.end());
  joined.rows = sequence.kv_len;
  return joined;
}

double dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

ScoreRule::ScoreRule(const AttentionShape& shape, const AttentionOptions& options)
    : softmax_scale(
          options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(shape.head_dim)))),
      softcap(options.softcap.value_or(0)) {}

double ScoreRule::capped(double dot_product) const {
  const double scaled = softmax_scale * dot_product;
  return softcap > 0 ? softcap * std::tanh(scaled / softcap) : scaled;
}

double ScoreRule::slope(double capped_score) const {
  if (softcap == 0) return softmax_scale;
  const double tanh = capped_score / softcap;
  return softmax_scale * (1 - tanh * tanh);
}

}  // namespace limelight::reference
