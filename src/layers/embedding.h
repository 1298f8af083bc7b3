#pragma once

#include <cstdint>
#include <span>

namespace limelight {

/// out [batch * length, width]: row (b, t) = token_table[ids[b, t]] + position_table[first_position
/// + t]. position_table may be null. REQUIRES: ids inside the table.
void embedding_forward(std::int64_t batch, std::int64_t length, std::int64_t width,
                       std::span<const std::int32_t> ids, std::int64_t first_position,
                       const float* token_table, const float* position_table, float* out);

/// ADDS grad_out's rows to the rows of the tables that made them, in the order of the batch (so
/// that the sums have the same bits on any number of threads). grad_position_table may be null.
void embedding_backward(std::int64_t batch, std::int64_t length, std::int64_t width,
                        std::span<const std::int32_t> ids, std::int64_t first_position,
                        const float* grad_out, float* grad_token_table, float* grad_position_table);

}  // namespace limelight
