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

/// Numbers in rows that somebody else owns, each row `stride` after the one before.
struct MatrixView {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;

  MatrixView() = default;
  MatrixView(const float* first, std::int64_t row_count, std::int64_t column_count,
             std::int64_t row_stride)
      : data(first), rows(row_count), columns(column_count), stride(row_stride) {}
  MatrixView(const float* first, std::int64_t row_count, std::int64_t column_count)
      : MatrixView(first, row_count, column_count, column_count) {}
  MatrixView(const Matrix& matrix)  // NOLINT(google-explicit-constructor)
      : MatrixView(matrix.values.data(), matrix.rows, matrix.columns) {}

  float at(std::int64_t row, std::int64_t column) const { return data[row * stride + column]; }
  std::span<const float> row(std::int64_t index) const {
    return {data + index * stride, static_cast<std::size_t>(columns)};
  }
};

/// Columns [first, first + count).
inline MatrixView columns_of(MatrixView from, std::int64_t first, std::int64_t count) {
  return {from.data + first, from.rows, count, from.stride};
}

}  // namespace limelight
