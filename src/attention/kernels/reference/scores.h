#pragma once

#include <limelight/attention.h>

#include <cstdint>
#include <vector>

#include "attention/shape.h"
#include "attention/visibility.h"

namespace limelight::reference {

/// Rows of doubles, one after the other.
struct Matrix {
  Matrix(std::int64_t row_count, std::int64_t column_count)
      : rows(row_count),
        columns(column_count),
        elements(static_cast<std::size_t>(row_count * column_count)) {}

  double* row(std::int64_t i) { return elements.data() + i * columns; }
  const double* row(std::int64_t i) const { return elements.data() + i * columns; }

  std::int64_t rows;
  std::int64_t columns;
  std::vector<double> elements;
};

/// Rows first to first + count - 1 of one head: `view` is [batch, heads, length, dim].
Matrix load_rows(ConstTensorView view, std::int64_t batch, std::int64_t head, std::int64_t first,
                 std::int64_t count);
void store_row(TensorView view, std::int64_t batch, std::int64_t head, std::int64_t row,
               const double* elements);

/// The keys (or values) of a sequence, past ones first.
Matrix load_keys(ConstTensorView past, ConstTensorView current, const Sequence& sequence,
                 std::int64_t head);

double dot(const double* a, const double* b, std::int64_t count);

/// How a score comes to be, one (query, key) pair at a time.
struct ScoreRule {
  ScoreRule(const AttentionShape& shape, const AttentionOptions& options);

  double softmax_scale;
  double softcap;  ///< 0: none

  /// After softcap, before anything is added.
  double capped(double dot_product) const;
  /// d capped / d dot_product, given capped.
  double slope(double capped_score) const;
};

}  // namespace limelight::reference
