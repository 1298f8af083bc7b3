#include "layers/row_sums.h"

#include <algorithm>

#include "base/aligned_buffer.h"
#include "base/parallel.h"

namespace limelight {
namespace {

// Rows in a block: few enough to share between threads, enough that adding the partial sums is
// cheap.
constexpr std::int64_t kBlockRows = 64;

}  // namespace

void fill_rows(std::int64_t rows, std::int64_t width, const float* row, float* out) {
  parallel_for(ceil_div(rows, kBlockRows), [&](std::int64_t block) {
    const std::int64_t last = std::min(rows, (block + 1) * kBlockRows);
    for (std::int64_t r = block * kBlockRows; r < last; ++r) {
      std::copy_n(row, width, out + r * width);
    }
  });
}

void add_row_sums(std::int64_t rows, std::int64_t width, const float* x, float* sums) {
  const auto add_block = [&](std::int64_t first, std::int64_t last, float* partial) {
    for (std::int64_t r = first; r < last; ++r) {
      const float* row = x + r * width;
      for (std::int64_t c = 0; c < width; ++c) partial[c] += row[c];
    }
  };
  reduce_rows(rows, width, add_block, sums);
}

void reduce_rows(std::int64_t rows, std::int64_t width,
                 const std::function<void(std::int64_t, std::int64_t, float*)>& add_block,
                 float* sums) {
  const std::int64_t blocks = ceil_div(rows, kBlockRows);
  AlignedBuffer<float> partials(static_cast<std::size_t>(blocks * width));
  parallel_for(blocks, [&](std::int64_t block) {
    add_block(block * kBlockRows, std::min(rows, (block + 1) * kBlockRows),
              partials.data() + block * width);
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* partial = partials.data() + block * width;
    for (std::int64_t c = 0; c < width; ++c) sums[c] += partial[c];
  }
}

}  // namespace limelight
