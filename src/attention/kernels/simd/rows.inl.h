// What is done to one row of numbers: read it from memory of any type, make scores of it, turn
// scores into weights, write it back. Widths are rounded up to whole vectors by the caller.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

#include "attention/element.h"
#include "attention/kernels/simd/exponential.inl.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/kernels/simd/narrow.inl.h"
#include "attention/kernels/simd/small_product.inl.h"
#include "attention/kernels/simd/transpose.inl.h"
#include "attention/kernels/simd/widen.inl.h"
#include "attention/softmax_state.h"

#if defined(LIMELIGHT_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_ROWS_INL_H
#undef LIMELIGHT_ROWS_INL_H
#else
#define LIMELIGHT_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// body(i) for the first element of each vector of a row of `width`.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t width, const Body& body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  for (std::int64_t i = 0; i < width; i += lanes) body(i);
}

/// `count` numbers of memory of any type, times `scale`, followed by zeros up to `width`.
inline void load_row(const void* data, DType dtype, std::int64_t offset, std::int64_t count,
                     float scale, std::int64_t width, float* row) {
  switch (dtype) {
    case DType::bf16:
      widen_row(static_cast<const bfloat16*>(data) + offset, count, scale, row);
      break;
    case DType::f16:
      widen_row(static_cast<const float16*>(data) + offset, count, scale, row);
      break;
    default:
      widen_row(static_cast<const float*>(data) + offset, count, scale, row);
  }
  for (std::int64_t i = count; i < width; ++i) row[i] = 0;
}

/// `count` numbers times `scale`, to memory of any type.
inline void store_row(const float* row, float scale, std::int64_t count, void* data, DType dtype,
                      std::int64_t offset) {
  if (dtype == DType::f32) {
    float* to = static_cast<float*>(data) + offset;
    for (std::int64_t i = 0; i < count; ++i) to[i] = row[i] * scale;
    return;
  }
  if (dtype == DType::bf16) {
    narrow_row(row, count, scale, static_cast<bfloat16*>(data) + offset);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) write_number(data, dtype, offset + i, row[i] * scale);
}

/// Whether none of a row is NaN or infinite: then 0 times it is 0.
inline bool all_finite(std::int64_t width, const float* row) {
  const D d;
  V zeros = hn::Zero(d);
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    zeros = hn::MulAdd(hn::LoadU(d, row + i), hn::Zero(d), zeros);
  });
  return hn::AllTrue(d, hn::Eq(zeros, hn::Zero(d)));
}

/// Row j of a head's keys (or values).
inline void load_key(const KeySource& source, const Sequence& sequence, std::int64_t kv_head,
                     std::int64_t j, std::int64_t width, float* row) {
  const auto [view, offset] = source.find(sequence, kv_head, j);
  load_row(view.raw(), view.dtype(), offset, view.size(3), 1, width, row);
}

/// `dim` numbers of kLaneMultiple rows of `width` become as many lines, kTileKeys apart.
inline void transpose_to_lines(const float* rows, std::int64_t width, std::int64_t dim,
                               float* lines) {
  std::int64_t d = 0;
  for (; d + 4 <= dim; d += 4) {
    for (std::int64_t j = 0; j < kLaneMultiple; j += 4) {
      transpose_numbers(rows + j * width + d, width, lines + d * kTileKeys + j, kTileKeys);
    }
  }
  for (; d < dim; ++d) {
    for (std::int64_t j = 0; j < kLaneMultiple; ++j) lines[d * kTileKeys + j] = rows[j * width + d];
  }
}

/// Keys (or values) key_at(0) to key_at(count - 1) of a head as [dim, kTileKeys], beyond them zeros
/// up to padded(count). `rows` is memory for kLaneMultiple rows of `width`. Returns whether all are
/// finite.
template <class KeyAt>
bool load_keys_transposed(const KeySource& source, const Sequence& sequence, std::int64_t kv_head,
                          const KeyAt& key_at, std::int64_t count, std::int64_t dim,
                          std::int64_t width, float* rows, float* transposed) {
  bool finite = true;
  // Sixteen keys at a time: what is written is a whole cache line.
  for (std::int64_t j0 = 0; j0 < count; j0 += kLaneMultiple) {
    for (std::int64_t j = 0; j < kLaneMultiple; ++j) {
      float* row = rows + j * width;
      if (j0 + j < count) {
        load_key(source, sequence, kv_head, key_at(j0 + j), width, row);
        finite = finite && all_finite(width, row);
      } else {
        std::fill_n(row, width, 0.0f);
      }
    }
    transpose_to_lines(rows, width, dim, transposed + j0);
  }
  return finite;
}

/// The same of keys [first, first + count).
inline bool load_keys_transposed(const KeySource& source, const Sequence& sequence,
                                 std::int64_t kv_head, std::int64_t first, std::int64_t count,
                                 std::int64_t dim, std::int64_t width, float* rows,
                                 float* transposed) {
  const auto key_at = [first](std::int64_t j) { return first + j; };
  return load_keys_transposed(source, sequence, kv_head, key_at, count, dim, width, rows,
                              transposed);
}

/// The same as [padded(count), width].
inline bool load_keys(const KeySource& source, const Sequence& sequence, std::int64_t kv_head,
                      std::int64_t first, std::int64_t count, std::int64_t width, float* rows) {
  bool finite = true;
  for (std::int64_t j = 0; j < padded(count); ++j) {
    float* row = rows + j * width;
    if (j < count) {
      load_key(source, sequence, kv_head, first + j, width, row);
      finite = finite && all_finite(width, row);
    } else {
      std::fill_n(row, width, 0.0f);
    }
  }
  return finite;
}

inline void scale_row(std::int64_t width, float factor, float* row) {
  const D d;
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, factor)), d, row + i);
  });
}

/// What stands between query . key * softmax_scale and the softmax, for one row of a tile.
struct ScoreRow {
  std::int64_t begin;  ///< columns [begin, end) are in the row's range
  std::int64_t end;
  const float* additions;  ///< added to each score, -infinity where hidden; or null
  float softcap;           ///< 0: none
};

/// Columns outside the row's range become -infinity.
inline void hide_outside(const ScoreRow& row, std::int64_t first, std::int64_t last,
                         float* scores) {
  for (std::int64_t c = first; c < row.begin && c < last; ++c) scores[c] = kMinusInfinity;
  for (std::int64_t c = row.end > first ? row.end : first; c < last; ++c) {
    scores[c] = kMinusInfinity;
  }
}

/// Columns [first, last) from scaled dot products to scores: softcap, what is added, and -infinity
/// where hidden (whatever stood there: also NaN). Where `slopes` is given, it becomes d score / d
/// dot product.
inline void finish_scores(const ScoreRow& row, std::int64_t first, std::int64_t last, float* scores,
                          float* slopes) {
  const D d;
  if (row.softcap != 0) {
    const V cap = hn::Set(d, row.softcap);
    const V one = hn::Set(d, 1.0f);
    for_each_vector(last - first, [&](std::int64_t i) HWY_ATTR {
      const V tanh = tanh_of(hn::Div(hn::LoadU(d, scores + first + i), cap));
      hn::StoreU(hn::Mul(cap, tanh), d, scores + first + i);
      if (slopes) hn::StoreU(hn::NegMulAdd(tanh, tanh, one), d, slopes + first + i);
    });
  }
  if (row.additions) {
    const V hidden = hn::Set(d, kMinusInfinity);
    for_each_vector(last - first, [&](std::int64_t i) HWY_ATTR {
      const V added = hn::LoadU(d, row.additions + first + i);
      const V sum = hn::Add(hn::LoadU(d, scores + first + i), added);
      hn::StoreU(hn::IfThenElse(hn::Eq(added, hidden), hidden, sum), d, scores + first + i);
    });
  }
  hide_outside(row, first, last, scores);
}

/// The largest of a row. Where there are NaNs, any number of the row or NaN.
inline float row_maximum(std::int64_t width, const float* row) {
  const D d;
  V maxima = hn::LoadU(d, row);
  for_each_vector(
      width, [&](std::int64_t i) HWY_ATTR { maxima = hn::Max(maxima, hn::LoadU(d, row + i)); });
  return hn::GetLane(hn::MaxOfLanes(d, maxima));
}

/// row[i] = exp(row[i] - shift); returns their sum. The sum of a lane runs over the same columns of
/// every tile, so that columns that add 0 change no bit.
inline float exponentials(std::int64_t width, float shift, float* row) {
  const D d;
  const V shifts = hn::Set(d, shift);
  V sums = hn::Zero(d);
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    const V e = exp_of(hn::Sub(hn::LoadU(d, row + i), shifts));
    hn::StoreU(e, d, row + i);
    sums = hn::Add(sums, e);
  });
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

/// Moves a row's shift, state.maximum, to `largest` where that stands too far above it. Returns
/// what was summed before, the context too, is to be multiplied by. A row's shift depends on its
/// own scores alone. It is mostly known before the maximum is: the processor guesses that it stays,
/// and exponentials need not wait.
HWY_INLINE float move_shift(float largest, SoftmaxState<float>& state) {
  // Where the row has seen nothing the shift is -infinity, below every number.
  constexpr float kLn2 = 0.693147181f;
  if (!(largest > state.maximum + kMostAboveShift * kLn2)) return 1;
  const float rescale = state.empty() ? 1 : state.rescale_to(largest);
  state = {largest, state.sum * rescale};
  return rescale;
}

/// row[i] = exp(row[i] - shift), added to the state's sum. A row that has seen nothing yet has no
/// shift: its weights are 0, or NaN where it sees NaN.
HWY_INLINE void weigh_scores(std::int64_t width, SoftmaxState<float>& state, float* row) {
  state.sum += exponentials(width, state.maximum == kMinusInfinity ? 0 : state.maximum, row);
}

inline void multiply_row(std::int64_t width, const float* factors, float* row) {
  const D d;
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::LoadU(d, factors + i)), d, row + i);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
