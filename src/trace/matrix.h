#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace limelight {

/// Owned numbers in rows. A value: copies copy.
template <class T>
struct BasicMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<T> values;

  BasicMatrix() = default;
  BasicMatrix(std::int64_t row_count, std::int64_t column_count)
      : rows(row_count),
        columns(column_count),
        values(static_cast<std::size_t>(row_count * column_count)) {}

  T& at(std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
  const T& at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
  std::span<T> row(std::int64_t index) {
    return std::span(values).subspan(static_cast<std::size_t>(index * columns),
                                     static_cast<std::size_t>(columns));
  }
  std::span<const T> row(std::int64_t index) const {
    return std::span(values).subspan(static_cast<std::size_t>(index * columns),
                                     static_cast<std::size_t>(columns));
  }
};

using Matrix = BasicMatrix<float>;
using Matrix64 = BasicMatrix<double>;

/// The same numbers in double.
inline Matrix64 widened(const Matrix& matrix) {
  Matrix64 wide(matrix.rows, matrix.columns);
  for (std::size_t i = 0; i < matrix.values.size(); ++i) wide.values[i] = matrix.values[i];
  return wide;
}

}  // namespace limelight
