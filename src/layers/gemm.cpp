#include "layers/gemm.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "base/cpu_features.h"
#include "base/parallel.h"

namespace limelight {
namespace {

/// The piece of c that one call of oneDNN computes, from the shape alone.
struct Piece {
  std::int64_t rows, columns;
};

Piece choose_piece(std::int64_t m) {
  // Tall products (activations): a call packs its part of b once for all its rows, so 256 rows make
  // that cost one part in 256; with 1024 columns, a row block of c and the packed b stay in L2.
  constexpr Piece kTall{256, 1024};
  // Small products (weight gradients, single texts): enough pieces for the threads, still wide
  // enough for oneDNN's 48-column register tiles.
  constexpr Piece kSmall{96, 192};
  return m >= 1024 ? kTall : kSmall;
}

}  // namespace

// oneDNN may share k out between threads, and would then round differently for each number of them.
// Called from inside a parallel region it uses one thread; so each piece is one such call, and what
// a piece holds depends on the shape alone. (A team of one is no parallel region, but then oneDNN
// has one thread as well.)
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, GemmOperand a, GemmOperand b,
          bool accumulate, float* c, std::int64_t c_stride) {
  if (m == 0 || n == 0) return;
  prepare_onednn();
  const Piece piece = choose_piece(m);
  const std::int64_t across = ceil_div(n, piece.columns);
  parallel_for(ceil_div(m, piece.rows) * across, [&](std::int64_t index) {
    const std::int64_t row = index / across * piece.rows;
    const std::int64_t column = index % across * piece.columns;
    const float* a_piece = a.data + (a.transposed ? row : row * a.stride);
    const float* b_piece = b.data + (b.transposed ? column * b.stride : column);
    dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', std::min(piece.rows, m - row),
               std::min(piece.columns, n - column), k, 1.0f, a_piece, a.stride, b_piece, b.stride,
               accumulate ? 1.0f : 0.0f, c + row * c_stride + column, c_stride);
  });
}

}  // namespace limelight
