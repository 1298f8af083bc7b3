#include <algorithm>
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

/// One query head of one sequence.
struct Head {
  const Sequence& sequence;
  std::int64_t head;
  ScoreRule rule;
  double sink;
  Matrix query;  // [q_len, head_dim]
  Matrix key;    // [kv_len, head_dim]
  Matrix value;  // [kv_len, value_dim]
};

/// Pass 1: the keys that query i sees, and score[j] for each. What is hidden is never looked at
/// again, so that nothing it holds can reach a result.
void score_visible_keys(const Head& head, const Visibility& visibility, std::int64_t i,
                        std::vector<std::int64_t>& visible, std::vector<double>& score) {
  visible.clear();
  const KeyRange range = visibility.range(head.sequence, i);
  for (std::int64_t j = range.begin; j < range.end; ++j) {
    if (!visibility.visible(head.sequence, head.head, i, j)) continue;
    visible.push_back(j);
    score[j] = head.rule.capped(dot(head.query.row(i), head.key.row(j), head.query.columns)) +
               visibility.added(head.sequence, head.head, i, j);
  }
}

/// Pass 2: lse = log(sum_j exp(score[j]) + exp(sink)), by way of the largest so that exp does not
/// overflow. NaN where a visible score is.
double log_sum_exp(const std::vector<std::int64_t>& visible, const std::vector<double>& score,
                   double sink) {
  if (visible.empty()) return -kInfinity;
  double largest = sink;
  for (const std::int64_t j : visible) {
    if (std::isnan(score[j])) return score[j];
    largest = std::max(largest, score[j]);
  }
  if (largest == -kInfinity) return -kInfinity;
  double sum = std::exp(sink - largest);
  for (const std::int64_t j : visible) sum += std::exp(score[j] - largest);
  return largest + std::log(sum);
}

/// Pass 3: weight[j] = exp(score[j] - lse), and then dropout.
void weigh(const Head& head, const Visibility& visibility, std::int64_t i,
           const std::vector<std::int64_t>& visible, const std::vector<double>& score, double lse,
           std::vector<double>& weight) {
  for (const std::int64_t j : visible) {
    weight[j] = lse == -kInfinity ? 0
                                  : std::exp(score[j] - lse) *
                                        visibility.dropout_factor(head.sequence, head.head, i, j);
  }
}

/// Pass 4: context = sum_j weight[j] * value[j].
void sum_values(const Head& head, const std::vector<std::int64_t>& visible,
                const std::vector<double>& weight, std::vector<double>& context) {
  std::fill(context.begin(), context.end(), 0.0);
  for (const std::int64_t j : visible) {
    for (std::int64_t d = 0; d < head.value.columns; ++d) {
      context[d] += weight[j] * head.value.row(j)[d];
    }
  }
}

void attend(const Head& head, const ForwardArguments& arguments, const Visibility& visibility,
            const StopCheck& stop) {
  const Sequence& sequence = head.sequence;
  const auto kv_len = static_cast<std::size_t>(sequence.kv_len);
  std::vector<std::int64_t> visible;
  std::vector<double> score(kv_len);
  std::vector<double> weight(kv_len);
  std::vector<double> context(static_cast<std::size_t>(head.value.columns));
  for (std::int64_t i = 0; i < sequence.q_len && !stop.stopped(); ++i) {
    score_visible_keys(head, visibility, i, visible, score);
    const double lse = log_sum_exp(visible, score, head.sink);
    weigh(head, visibility, i, visible, score, lse, weight);
    sum_values(head, visible, weight, context);

    const std::int64_t row = sequence.first_query + i;
    store_row(arguments.out, sequence.batch, head.head, row, context.data());
    if (const TensorView& view = arguments.lse; !view.empty()) {
      write_number(
          view.raw(), view.dtype(),
          sequence.batch * view.stride(0) + head.head * view.stride(1) + row * view.stride(2), lse);
    }
  }
}

}  // namespace

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility) {
  const StopCheck stop(options.should_stop);
  const auto count = static_cast<std::int64_t>(visibility.sequences().size());
  for_each_task(count * shape.num_heads, shape.multiply_adds(), [&](std::int64_t task) {
    const Sequence& sequence = visibility.sequences()[task / shape.num_heads];
    const std::int64_t h = task % shape.num_heads;
    const std::int64_t kv_head = h / shape.group();
    const Head head = {
        sequence,
        h,
        ScoreRule(shape, options),
        sink_of(options, h),
        load_rows(arguments.query, sequence.batch, h, sequence.first_query, sequence.q_len),
        load_keys(options.past_key, arguments.key, sequence, kv_head),
        load_keys(options.past_value, arguments.value, sequence, kv_head)};
    attend(head, arguments, visibility, stop);
  });
}

}  // namespace limelight::reference
