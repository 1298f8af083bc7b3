#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trace/matrix.h"

namespace limelight {

// What steps measure of rows and matrices, in float64 of the engine's own numbers.

double length_of(std::span<const float> vector);
/// 0 where one of them is zero.
double cosine_of(std::span<const float> a, std::span<const float> b);
/// The cosine of a vector with every row.
std::vector<float> cosines_with_rows(MatrixView rows, std::span<const float> vector);
std::vector<double> in_double(std::span<const float> vector);
std::vector<double> scaled(std::span<const float> vector, double factor);

/// Standard deviation, of the population.
double spread_of(std::span<const float> values);
/// Root of the mean squared distance of rows [0, rows) from their mean.
double spread_of_rows(MatrixView matrix, std::int64_t rows);

/// Column of the largest (smallest) value, `except` aside; none of an empty row.
std::optional<std::int64_t> largest_of(std::span<const float> row,
                                       std::optional<std::int64_t> except = {});
std::optional<std::int64_t> smallest_of(std::span<const float> row,
                                        std::optional<std::int64_t> except = {});
/// The columns of the largest values, the largest first, at most `count`.
std::vector<std::int64_t> largest_columns(std::span<const float> row, std::int64_t count);

/// max |m(i, j) - m(j, i)| of a square matrix, and where.
struct Asymmetry {
  double difference = 0;
  std::int64_t row = 0;
  std::int64_t column = 0;
};
Asymmetry asymmetry_of(MatrixView square);

/// softmax of a row in float64.
std::vector<double> softmax_of(std::span<const double> scores);

}  // namespace limelight
