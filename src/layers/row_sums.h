#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace limelight {

/// Every row of out [rows, width] becomes `row`.
void fill_rows(std::int64_t rows, std::int64_t width, const float* row, float* out);

/// ADDS to sums [width] the sum of the rows of x [rows, width].
void add_row_sums(std::int64_t rows, std::int64_t width, const float* x, float* sums);

/// Sums over rows whose bits do not depend on the number of threads: `add_block(first, last,
/// partial)` adds what rows [first, last) contribute to `partial` [width], zeroed before; blocks
/// have a fixed size and their partial sums are ADDED to `sums` [width] in the order of the rows.
void reduce_rows(
    std::int64_t rows, std::int64_t width,
    const std::function<void(std::int64_t first, std::int64_t last, float* partial)>& add_block,
    float* sums);

}  // namespace limelight
