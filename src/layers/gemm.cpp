#include "layers/gemm.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "base/parallel.h"

namespace limelight {
namespace {

/// The piece of c that one call of oneDNN computes, from the shape alone.
struct Piece {
  std::int64_t rows, columns;
};

// Tall products (activations): a call packs its part of b once for all its rows, so 252 rows make
// that cost one part in 252; with 1024 columns, a row block of c and the packed b stay in L2.
constexpr Piece kTall{252, 1024};
// Small products (weight gradients, single texts), and what tall pieces leave: enough pieces for
// the threads, still wide enough for oneDNN's 48-column register tiles.
constexpr Piece kSmall{96, 192};
constexpr std::int64_t kTallRows = 1024;

/// What oneDNN (measured with 2.6.3) needs to round a row alike, however many stand beside it.
struct RowRule {
  std::int64_t panel;  ///< a call's rows come in whole panels,
  std::int64_t least;  ///< or, where panel is 1, are at least so many
};

// Where it has no AVX-512, oneDNN takes rows in panels of 6 and rounds 1 to 3 rows that are left
// over otherwise. It also halves a call of more than 72 rows: of 78 or 90 it makes halves with 3
// left over, of 84 and 96 it does not. So the rows of every call come in dozens.
constexpr RowRule kWithoutAvx512{12, 12};
static_assert(kTall.rows % kWithoutAvx512.panel == 0 && kSmall.rows % kWithoutAvx512.panel == 0);
// With AVX-512 it has a kernel of its own for one row, and for fewer than 16 where b is transposed.
constexpr RowRule kWithAvx512{1, 2};
constexpr RowRule kWithAvx512Transposed{1, 16};

RowRule row_rule(bool b_transposed) {
  if (dnnl_get_effective_cpu_isa() < dnnl_cpu_isa_avx512_core) return kWithoutAvx512;
  return b_transposed ? kWithAvx512Transposed : kWithAvx512;
}

/// How many of the last of m rows, which come in small pieces, must be made up to rule.least.
std::int64_t rows_left_over(std::int64_t m, const RowRule& rule) {
  if (rule.panel > 1) return m % rule.panel;
  const std::int64_t last = m % kSmall.rows;
  return last < rule.least ? last : 0;
}

/// `count` rows of a matrix followed by zeros up to `all` rows, without gaps between rows.
AlignedBuffer<float> made_up(const float* rows, std::int64_t count, std::int64_t all,
                             std::int64_t columns, std::int64_t stride) {
  AlignedBuffer<float> panel(static_cast<std::size_t>(all * columns));
  std::fill(panel.begin(), panel.end(), 0.0f);
  for (std::int64_t r = 0; r < count; ++r) {
    std::copy_n(rows + r * stride, columns, panel.data() + r * columns);
  }
  return panel;
}

/// Multiply-adds that take about as long as a team of threads takes to come together.
constexpr std::int64_t kTooFewToShare = std::int64_t{1} << 21;

// oneDNN may share k out between threads, and would then round differently for each number of them.
// Called from inside a parallel region, or with a pool of one, it uses one thread; so each piece is
// one such call, and what a piece holds depends on the shape alone.
void gemm_in_pieces(Piece piece, std::int64_t m, std::int64_t n, std::int64_t k, GemmOperand a,
                    GemmOperand b, bool accumulate, float* c, std::int64_t c_stride) {
  const std::int64_t across = ceil_div(n, piece.columns);
  const std::int64_t pieces = ceil_div(m, piece.rows) * across;
  const auto multiply = [&](std::int64_t index) {
    const std::int64_t row = index / across * piece.rows;
    const std::int64_t column = index % across * piece.columns;
    const float* a_piece = a.data + (a.transposed ? row : row * a.stride);
    const float* b_piece = b.data + (b.transposed ? column * b.stride : column);
    dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', std::min(piece.rows, m - row),
               std::min(piece.columns, n - column), k, 1.0f, a_piece, a.stride, b_piece, b.stride,
               accumulate ? 1.0f : 0.0f, c + row * c_stride + column, c_stride);
  };
  if (pieces > 1 && m * n * k > kTooFewToShare) return parallel_for(pieces, multiply);
  const PoolSize alone(1);
  for (std::int64_t i = 0; i < pieces; ++i) multiply(i);
}

/// The last rows of a product, as part of one that has rows enough.
void gemm_left_over(std::int64_t all, std::int64_t rows, std::int64_t n, std::int64_t k,
                    GemmOperand a, GemmOperand b, bool accumulate, float* c,
                    std::int64_t c_stride) {
  const AlignedBuffer<float> a_panel = made_up(a.data, rows, all, k, a.stride);
  AlignedBuffer<float> c_panel = made_up(c, accumulate ? rows : 0, all, n, c_stride);
  gemm_in_pieces(kSmall, all, n, k, {a_panel.data(), k}, b, accumulate, c_panel.data(), n);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::copy_n(c_panel.data() + r * n, n, c + r * c_stride);
  }
}

}  // namespace

void gemm(std::int64_t m, std::int64_t n, std::int64_t k, GemmOperand a, GemmOperand b,
          bool accumulate, float* c, std::int64_t c_stride) {
  if (m == 0 || n == 0) return;
  prepare_onednn();
  const std::int64_t tall = m >= kTallRows ? m / kTall.rows * kTall.rows : 0;
  const RowRule rule = row_rule(b.transposed);
  // A transposed a is a gradient's: its rows are the weights', and their number does not change.
  const std::int64_t left_over = a.transposed ? 0 : rows_left_over(m - tall, rule);
  const std::int64_t whole = m - left_over;
  const auto a_from = [&](std::int64_t row) {
    return GemmOperand{a.data + (a.transposed ? row : row * a.stride), a.stride, a.transposed};
  };
  gemm_in_pieces(kTall, tall, n, k, a, b, accumulate, c, c_stride);
  gemm_in_pieces(kSmall, whole - tall, n, k, a_from(tall), b, accumulate, c + tall * c_stride,
                 c_stride);
  if (left_over > 0) {
    gemm_left_over(rule.least, left_over, n, k, a_from(whole), b, accumulate, c + whole * c_stride,
                   c_stride);
  }
}

void prepare_gemm() {
  // Of two columns: a product with one column has a kernel of its own.
  constexpr float kOnes[] = {1, 1, 1, 1};
  float c[4];
  gemm(2, 2, 2, {kOnes, 2}, {kOnes, 2}, false, c, 2);
}

}  // namespace limelight
