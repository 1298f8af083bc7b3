#include "layers/embedding.h"

#include <algorithm>

#include "base/parallel.h"

namespace limelight {

void embedding_forward(std::int64_t batch, std::int64_t length, std::int64_t width,
                       std::span<const std::int32_t> ids, std::int64_t first_position,
                       const float* token_table, const float* position_table, float* out) {
  parallel_for(batch, [&](std::int64_t b) {
    for (std::int64_t t = 0; t < length; ++t) {
      const std::int64_t row = b * length + t;
      const float* token = token_table + ids[static_cast<std::size_t>(row)] * width;
      const float* position =
          position_table ? position_table + (first_position + t) * width : nullptr;
      float* to = out + row * width;
      for (std::int64_t c = 0; c < width; ++c) to[c] = token[c] + (position ? position[c] : 0.0f);
    }
  });
}

void embedding_backward(std::int64_t batch, std::int64_t length, std::int64_t width,
                        std::span<const std::int32_t> ids, std::int64_t first_position,
                        const float* grad_out, float* grad_token_table,
                        float* grad_position_table) {
  // A piece is a range of columns: every row of the tables is added to in the order of the batch.
  constexpr std::int64_t kColumns = 64;
  parallel_for(ceil_div(width, kColumns), [&](std::int64_t piece) {
    const std::int64_t begin = piece * kColumns;
    const std::int64_t end = std::min(width, begin + kColumns);
    for (std::int64_t row = 0; row < batch * length; ++row) {
      const float* grad = grad_out + row * width;
      float* token = grad_token_table + ids[static_cast<std::size_t>(row)] * width;
      for (std::int64_t c = begin; c < end; ++c) token[c] += grad[c];
      if (!grad_position_table) continue;
      float* position = grad_position_table + (first_position + row % length) * width;
      for (std::int64_t c = begin; c < end; ++c) position[c] += grad[c];
    }
  });
}

}  // namespace limelight
