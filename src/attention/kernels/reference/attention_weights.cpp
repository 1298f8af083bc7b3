#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "attention/element.h"
#include "attention/for_each_task.h"
#include "attention/kernels/reference/scores.h"
#include "attention/weights/weights_call.h"

namespace limelight::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Weights = std::vector<double>;  // one for each key of the tensors, 0 where hidden

/// One query head of one batch item: its rows of weights, in any order.
class WeightedHead {
 public:
  WeightedHead(const WeightsCall& call, std::int64_t batch, std::int64_t head)
      : call_(call), rule_(call.shape, call.run.options), batch_(batch), head_(head) {}

  /// Row `query` of the tensors.
  void row(std::int64_t query, Weights& weights) {
    std::fill(weights.begin(), weights.end(), 0.0);
    enter_sequence_of(query);
    const std::int64_t i = query - sequence_->first_query;
    const ConstTensorView& lse_view = call_.run.lse;
    const double lse = read_number(
        lse_view.raw(), lse_view.dtype(),
        batch_ * lse_view.stride(0) + head_ * lse_view.stride(1) + query * lse_view.stride(2));
    if (lse == -kInfinity) return;
    const KeyRange range = call_.visibility.range(*sequence_, i);
    for (std::int64_t j = range.begin; j < range.end; ++j) {
      if (!call_.visibility.visible(*sequence_, head_, i, j)) continue;
      const double score = rule_.capped(dot(query_->row(i), key_->row(j), query_->columns)) +
                           call_.visibility.added(*sequence_, head_, i, j);
      weights[static_cast<std::size_t>(sequence_->first_key + j)] = std::exp(score - lse);
    }
  }

 private:
  bool holds(const Sequence& sequence, std::int64_t query) const {
    return sequence.batch == batch_ && sequence.first_query <= query &&
           query < sequence.first_query + sequence.q_len;
  }

  void enter_sequence_of(std::int64_t query) {
    if (sequence_ != nullptr && holds(*sequence_, query)) return;
    for (const Sequence& sequence : call_.visibility.sequences()) {
      if (holds(sequence, query)) sequence_ = &sequence;
    }
    query_ = load_rows(call_.run.query, batch_, head_, sequence_->first_query, sequence_->q_len);
    key_ = load_keys(call_.run.options.past_key, call_.run.key, *sequence_,
                     head_ / call_.shape.group());
  }

  const WeightsCall& call_;
  ScoreRule rule_;
  std::int64_t batch_, head_;
  const Sequence* sequence_ = nullptr;  // the one that the matrices are of
  std::optional<Matrix> query_, key_;
};

/// body(batch, head, rows, weights): `rows` gives a row into `weights`.
template <class Body>
void for_each_head(const WeightsCall& call, const Body& body) {
  const std::int64_t heads = call.shape.num_heads;
  for_each_task(call.shape.batch * heads, call.shape.multiply_adds(), [&](std::int64_t task) {
    WeightedHead rows(call, task / heads, task % heads);
    Weights weights(static_cast<std::size_t>(call.shape.kv_len()));
    body(task / heads, task % heads, rows, weights);
  });
}

/// Element (batch, head, i, j) of a result.
std::int64_t place_of(const TensorView& view, std::int64_t batch, std::int64_t head, std::int64_t i,
                      std::int64_t j) {
  return batch * view.stride(0) + head * view.stride(1) + i * view.stride(2) + j * view.stride(3);
}

/// The cells of one head, [rows.cells, columns.cells].
Matrix cells_of_head(const WeightsMap& asked, WeightedHead& rows, Weights& weights) {
  Matrix cells(asked.rows.cells, asked.columns.cells);
  const auto add_to_cell = [&](double& cell, double coverage, double weight) {
    if (asked.value == CellValue::max) {
      cell = std::isnan(cell) || cell > weight ? cell : weight;
    } else {
      cell += coverage * weight;
    }
  };
  for (std::int64_t i = 0; i < asked.rows.length; ++i) {
    rows.row(asked.first_query + i, weights);
    for (std::int64_t r = asked.rows.first_cell(i); r < asked.rows.end_cell(i); ++r) {
      for (std::int64_t j = 0; j < asked.columns.length; ++j) {
        const double weight = weights[static_cast<std::size_t>(asked.first_key + j)];
        for (std::int64_t c = asked.columns.first_cell(j); c < asked.columns.end_cell(j); ++c) {
          add_to_cell(cells.row(r)[c], asked.rows.coverage(i, r) * asked.columns.coverage(j, c),
                      weight);
        }
      }
    }
  }
  return cells;
}

}  // namespace

void answer(const WeightsCall& call, const SelectedWeights& asked) {
  const TensorView& out = asked.out;
  for_each_head(call, [&](std::int64_t b, std::int64_t h, WeightedHead& rows, Weights& weights) {
    for (std::int64_t i = 0; i < asked.queries.size(); ++i) {
      rows.row(asked.queries.at(i), weights);
      for (std::int64_t j = 0; j < asked.keys.size(); ++j) {
        write_number(out.raw(), out.dtype(), place_of(out, b, h, i, j),
                     weights[static_cast<std::size_t>(asked.keys.at(j))]);
      }
    }
  });
}

void answer(const WeightsCall& call, const TopWeights& asked) {
  const std::int64_t k = asked.k();
  for_each_head(call, [&](std::int64_t b, std::int64_t h, WeightedHead& rows, Weights& weights) {
    std::vector<WeightedKey<double>> entries(static_cast<std::size_t>(k));
    for (std::int64_t i = 0; i < call.shape.q_len; ++i) {
      rows.row(i, weights);
      TopList<double> list = {entries.data(), k};
      for (std::size_t j = 0; j < weights.size(); ++j) {
        if (weights[j] != 0) list.offer({weights[j], static_cast<std::int64_t>(j)});
      }
      list.sort();
      asked.write(b, h, i, list);
    }
  });
}

void answer(const WeightsCall& call, const RowEntropy& asked) {
  const TensorView& out = asked.out;
  for_each_head(call, [&](std::int64_t b, std::int64_t h, WeightedHead& rows, Weights& weights) {
    for (std::int64_t i = 0; i < call.shape.q_len; ++i) {
      rows.row(i, weights);
      double entropy = 0;
      for (const double weight : weights) {
        if (weight != 0) entropy -= weight * std::log(weight);
      }
      write_number(out.raw(), out.dtype(),
                   b * out.stride(0) + h * out.stride(1) + i * out.stride(2), entropy);
    }
  });
}

void answer(const WeightsCall& call, const WeightsMap& asked) {
  const TensorView& out = asked.out;
  for_each_head(call, [&](std::int64_t b, std::int64_t h, WeightedHead& rows, Weights& weights) {
    const Matrix cells = cells_of_head(asked, rows, weights);
    for (std::int64_t r = 0; r < cells.rows; ++r) {
      for (std::int64_t c = 0; c < cells.columns; ++c) {
        write_number(out.raw(), out.dtype(), place_of(out, b, h, r, c),
                     cells.row(r)[c] * asked.scale());
      }
    }
  });
}

}  // namespace limelight::reference
