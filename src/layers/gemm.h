#pragma once

#include <cstdint>

namespace limelight {

/// A row-major matrix as BLAS takes it: element (i, j) is data[i * stride + j]; `transposed` says
/// that the product reads it as its transpose.
struct GemmOperand {
  const float* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c [m, n] = op(a) [m, k] * op(b) [k, n] + (accumulate ? c : 0), in f32 on oneDNN, on the whole
/// pool. The same bits whatever the number of threads: the work is cut by m, n and k alone, and
/// every piece of c is computed by one thread with the whole of k. Where a is not transposed, the
/// bits of a row of c do not depend on m either. Error: |c - exact| <= k * 2^-24
/// * sum |a||b|.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, GemmOperand a, GemmOperand b,
          bool accumulate, float* c, std::int64_t c_stride);

/// Makes oneDNN compile its kernels, which it else does at the first product: some 60 ms. For a
/// thread of its own, while the program reads what is to be multiplied. Safe from several threads.
void prepare_gemm();

}  // namespace limelight
