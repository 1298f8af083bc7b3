#pragma once

#include <bit>
#include <string>

#include "base/base64.h"
#include "trace/matrix.h"

namespace limelight {

/// A matrix's numbers, row by row, as little-endian float32 in base64.
inline std::string base64_of(MatrixView matrix) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(matrix.rows * matrix.columns) * sizeof(float));
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const auto row = std::as_bytes(matrix.row(r));
    bytes.append(reinterpret_cast<const char*>(row.data()), row.size());
  }
  return base64(std::as_bytes(std::span(bytes)));
}

}  // namespace limelight
