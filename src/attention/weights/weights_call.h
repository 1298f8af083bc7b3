#pragma once

#include <limelight/attention_weights.h>

#include "attention/element.h"
#include "attention/visibility.h"
#include "attention/weights/cell_axis.h"
#include "attention/weights/places.h"
#include "attention/weights/top_list.h"

namespace limelight {

/// A checked run, and its masks as one.
struct WeightsCall {
  const AttentionRun& run;
  const AttentionShape& shape;
  const Visibility& visibility;
};

/// What is asked of it, one struct for each question.

struct SelectedWeights {
  Places queries, keys;
  TensorView out;  ///< [batch, num_heads, queries, keys]
};

struct TopWeights {
  TensorView indices, weights;  ///< [batch, num_heads, q_len, k]

  std::int64_t k() const { return indices.size(3); }

  /// Row (batch, head, i) = a list that has been sorted; what it lacks is key -1, weight 0.
  template <class T>
  void write(std::int64_t batch, std::int64_t head, std::int64_t i, const TopList<T>& list) const {
    const auto place = [&](const TensorView& view, std::int64_t at) {
      return batch * view.stride(0) + head * view.stride(1) + i * view.stride(2) +
             at * view.stride(3);
    };
    for (std::int64_t at = 0; at < k(); ++at) {
      const WeightedKey<T> entry = at < list.count ? list.entries[at] : WeightedKey<T>{0, -1};
      write_integer(indices.raw(), indices.dtype(), place(indices, at), entry.key);
      write_number(weights.raw(), weights.dtype(), place(weights, at), entry.weight);
    }
  }
};

struct RowEntropy {
  TensorView out;  ///< [batch, num_heads, q_len]
};

/// What a cell holds of the weights in it.
enum class CellValue : std::uint8_t { sum, mean, max };

struct WeightsMap {
  std::int64_t first_query, first_key;  ///< of the rectangle
  CellAxis rows, columns;
  CellValue value;
  TensorView out;  ///< [batch, num_heads, rows.cells, columns.cells]

  /// What the sums of a cell are multiplied by.
  double scale() const {
    return value == CellValue::mean ? rows.cells_per_element() * columns.cells_per_element() : 1;
  }
};

// The two that answer: in float64, written to be read, and in f32 over portable vectors.
// REQUIRES: arguments were checked (check_weights.h); for simd, no tensor of f64 but lse and past
// ones.

namespace reference {
void answer(const WeightsCall& call, const SelectedWeights& asked);
void answer(const WeightsCall& call, const TopWeights& asked);
void answer(const WeightsCall& call, const RowEntropy& asked);
void answer(const WeightsCall& call, const WeightsMap& asked);
}  // namespace reference

namespace simd {
void answer(const WeightsCall& call, const SelectedWeights& asked);
void answer(const WeightsCall& call, const TopWeights& asked);
void answer(const WeightsCall& call, const RowEntropy& asked);
void answer(const WeightsCall& call, const WeightsMap& asked);
}  // namespace simd

}  // namespace limelight
