#include <cmath>
#include <limits>
#include <vector>

#include "attention/element.h"
#include "attention/for_each_task.h"
#include "attention/kernels/reference/attention.h"
#include "attention/kernels/reference/scores.h"
#include "attention/stop_check.h"

namespace limelight::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Gradient of a tensor that broadcasts: one sum for each of its elements.
class BroadcastSums {
 public:
  explicit BroadcastSums(TensorView target)
      : target_(target), sums_(static_cast<std::size_t>(target.elements())) {
    place_ = BroadcastView(ConstTensorView(sums_.data(), DType::f64, target.sizes()));
  }

  double& at(std::int64_t batch, std::int64_t head, std::int64_t query, std::int64_t key) {
    return sums_[static_cast<std::size_t>(place_.offset(batch, head, query, key))];
  }

  void store() const {
    for (std::int64_t i = 0; i < target_.elements(); ++i) {
      std::int64_t rest = i;
      std::int64_t offset = 0;
      for (int axis = target_.rank() - 1; axis >= 0; --axis) {
        offset += rest % target_.size(axis) * target_.stride(axis);
        rest /= target_.size(axis);
      }
      write_number(target_.raw(), target_.dtype(), offset, sums_[static_cast<std::size_t>(i)]);
    }
  }

 private:
  TensorView target_;
  std::vector<double> sums_;
  BroadcastView place_;
};

/// What every piece of a backward shares.
struct Call {
  const BackwardArguments& arguments;
  const AttentionShape& shape;
  const AttentionOptions& options;
  const Visibility& visibility;
  StopCheck stop;
};

/// What is wanted beside the gradients of query, key and value; null where it is not.
struct SharedSums {
  BroadcastSums* bias = nullptr;
  double* sinks_of_sequence = nullptr;  // [num_heads]
};

/// One key head of one sequence, with the query heads that read it one after the other.
struct KeyHead {
  Matrix key;         // [kv_len, head_dim]
  Matrix value;       // [kv_len, value_dim]
  Matrix grad_key;    // [kv_len, head_dim]
  Matrix grad_value;  // [kv_len, value_dim]
};

struct QueryHead {
  const Sequence& sequence;
  std::int64_t head;
  ScoreRule rule;
  double sink;
  Matrix query;     // [q_len, head_dim]
  Matrix out;       // [q_len, value_dim]
  Matrix grad_out;  // [q_len, value_dim]
};

double read_lse(const BackwardArguments& arguments, const Sequence& sequence, std::int64_t head,
                std::int64_t i) {
  const ConstTensorView& lse = arguments.lse;
  return read_number(lse.raw(), lse.dtype(),
                     sequence.batch * lse.stride(0) + head * lse.stride(1) +
                         (sequence.first_query + i) * lse.stride(2));
}

/// Walks the forward's passes of one query row backwards. Beside each gradient stands the line of
/// the forward that it comes from.
void differentiate_row(const QueryHead& q, std::int64_t i, double lse, const Visibility& visibility,
                       KeyHead& k, double* grad_query, const SharedSums& sums) {
  if (lse == -kInfinity) return;  // nothing was visible
  const double* query = q.query.row(i);
  const double* grad_out = q.grad_out.row(i);
  const std::int64_t head_dim = q.query.columns;
  const std::int64_t value_dim = q.out.columns;

  // Passes 3 and 2: weight_j = exp(score_j - lse), and lse = log(sum_j exp(score_j) + exp(sink)),
  // so grad_score_j = weight_j * (grad_weight_j - sum_l weight_l * grad_weight_l). In the sum,
  // weight_l * grad_weight_l = kept_weight_l * (grad_out . value_l), and kept_weight_l * value_l
  // add up to out: the sum is grad_out . out.
  const double weighted_sum = dot(grad_out, q.out.row(i), value_dim);

  const KeyRange range = visibility.range(q.sequence, i);
  for (std::int64_t j = range.begin; j < range.end; ++j) {
    if (!visibility.visible(q.sequence, q.head, i, j)) continue;
    const double* key = k.key.row(j);
    const double* value = k.value.row(j);

    // Pass 1 again: score_j = capped(query . key_j) + added_j
    const double capped = q.rule.capped(dot(query, key, head_dim));
    const double score = capped + visibility.added(q.sequence, q.head, i, j);
    const double weight = std::exp(score - lse);
    const double dropout_factor = visibility.dropout_factor(q.sequence, q.head, i, j);

    // Pass 4: context = sum_j kept_weight_j * value_j, with kept_weight_j = weight_j *
    // dropout_factor_j
    const double kept_weight = weight * dropout_factor;
    double* grad_value = k.grad_value.row(j);
    for (std::int64_t d = 0; d < value_dim; ++d) grad_value[d] += kept_weight * grad_out[d];
    const double grad_weight = dropout_factor * dot(grad_out, value, value_dim);

    // Passes 3 and 2, as above.
    const double grad_score = weight * (grad_weight - weighted_sum);

    // Pass 1: score_j = capped(query . key_j) + added_j
    if (sums.bias) {
      sums.bias->at(q.sequence.batch, q.head, q.sequence.first_query + i,
                    q.sequence.first_key + j) += grad_score;
    }
    const double grad_dot = grad_score * q.rule.slope(capped);
    double* grad_key = k.grad_key.row(j);
    for (std::int64_t d = 0; d < head_dim; ++d) {
      grad_query[d] += grad_dot * key[d];
      grad_key[d] += grad_dot * query[d];
    }
  }

  // Pass 2: the sink is one more score, whose weight meets no value: its grad_weight is 0.
  if (sums.sinks_of_sequence) {
    const double weight_of_sink = std::exp(q.sink - lse);
    sums.sinks_of_sequence[q.head] += weight_of_sink * (0 - weighted_sum);
  }
}

void differentiate_query_head(const Call& call, const QueryHead& q, KeyHead& k,
                              const SharedSums& sums) {
  const TensorView& gradient = call.arguments.gradients.query;
  for (std::int64_t i = 0; i < q.sequence.q_len && !call.stop.stopped(); ++i) {
    std::vector<double> grad_query(static_cast<std::size_t>(q.query.columns));
    differentiate_row(q, i, read_lse(call.arguments, q.sequence, q.head, i), call.visibility, k,
                      grad_query.data(), sums);
    if (!gradient.empty()) {
      store_row(gradient, q.sequence.batch, q.head, q.sequence.first_query + i, grad_query.data());
    }
  }
}

/// The rows of a sequence, past ones first, to where they came from. Keys beyond the sequence's end
/// have gradient 0.
void store_keys(TensorView past, std::int64_t past_len, TensorView current, const Matrix& gradient,
                const Sequence& sequence, std::int64_t kv_head, bool to_the_end) {
  const std::vector<double> zeros(static_cast<std::size_t>(gradient.columns));
  const auto row_or_zeros = [&](std::int64_t j) {
    return j < sequence.kv_len ? gradient.row(j) : zeros.data();
  };
  if (!past.empty()) {
    for (std::int64_t j = 0; j < past_len; ++j) {
      store_row(past, sequence.batch, kv_head, j, row_or_zeros(j));
    }
  }
  if (!current.empty()) {
    const std::int64_t count = to_the_end ? current.size(2) : sequence.kv_len;
    for (std::int64_t j = 0; j < count; ++j) {
      store_row(current, sequence.batch, kv_head, sequence.first_key + j,
                row_or_zeros(past_len + j));
    }
  }
}

void differentiate_key_head(const Call& call, const Sequence& sequence, std::int64_t kv_head,
                            const SharedSums& sums) {
  const auto& [arguments, shape, options, visibility, stop] = call;
  KeyHead k = {load_keys(options.past_key, arguments.key, sequence, kv_head),
               load_keys(options.past_value, arguments.value, sequence, kv_head),
               Matrix(sequence.kv_len, shape.head_dim), Matrix(sequence.kv_len, shape.value_dim)};
  for (std::int64_t h = kv_head * shape.group(); h < (kv_head + 1) * shape.group(); ++h) {
    const auto load = [&](ConstTensorView view) {
      return load_rows(view, sequence.batch, h, sequence.first_query, sequence.q_len);
    };
    const QueryHead q = {sequence,
                         h,
                         ScoreRule(shape, options),
                         sink_of(options, h),
                         load(arguments.query),
                         load(arguments.out),
                         load(arguments.grad_out)};
    differentiate_query_head(call, q, k, sums);
  }
  const bool to_the_end = options.cu_seqlens_key.empty();
  const AttentionGradients& gradients = arguments.gradients;
  store_keys(gradients.past_key, shape.past_len, gradients.key, k.grad_key, sequence, kv_head,
             to_the_end);
  store_keys(gradients.past_value, shape.past_len, gradients.value, k.grad_value, sequence, kv_head,
             to_the_end);
}

void store_sink_gradients(TensorView gradient, const Matrix& sinks_by_sequence) {
  for (std::int64_t h = 0; h < sinks_by_sequence.columns; ++h) {
    double sum = 0;
    for (std::int64_t s = 0; s < sinks_by_sequence.rows; ++s) sum += sinks_by_sequence.row(s)[h];
    write_number(gradient.raw(), gradient.dtype(), h * gradient.stride(0), sum);
  }
}

}  // namespace

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility) {
  const Call call = {arguments, shape, options, visibility, StopCheck(options.should_stop)};
  const std::vector<Sequence>& sequences = visibility.sequences();
  const auto count = static_cast<std::int64_t>(sequences.size());
  const AttentionGradients& gradients = arguments.gradients;
  Matrix sinks_by_sequence(gradients.sinks.empty() ? 0 : count, shape.num_heads);
  const auto differentiate = [&](std::int64_t task, BroadcastSums* bias) {
    const std::int64_t s = task / shape.num_kv_heads;
    const SharedSums sums = {bias, gradients.sinks.empty() ? nullptr : sinks_by_sequence.row(s)};
    differentiate_key_head(call, sequences[s], task % shape.num_kv_heads, sums);
  };
  if (gradients.bias.empty()) {
    for_each_task(count * shape.num_kv_heads, 2.5 * shape.multiply_adds(),
                  [&](std::int64_t task) { differentiate(task, nullptr); });
  } else {  // heads and batch items may share an element of bias: one after the other
    BroadcastSums bias(gradients.bias);
    for (std::int64_t task = 0; task < count * shape.num_kv_heads; ++task) {
      differentiate(task, &bias);
    }
    bias.store();
  }
  if (!gradients.sinks.empty()) store_sink_gradients(gradients.sinks, sinks_by_sequence);
}

}  // namespace limelight::reference
