// Products of a few rows of f32 with rows of a cache of any type, where these lie: nothing is
// packed or transposed. The rows of f32 stand in the order in which the cache's are read: see
// place_in_pair.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cstdint>

#include "attention/kernels/simd/tile_sizes.h"
#include "attention/kernels/simd/widen.inl.h"

#if defined(LIMELIGHT_CACHE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_CACHE_ROWS_INL_H
#undef LIMELIGHT_CACHE_ROWS_INL_H
#else
#define LIMELIGHT_CACHE_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

// Accumulators of a product: eight keep both multiply-add units busy (see small_product.inl.h), and
// leave registers for what is multiplied where there are 16; where there are 32, sixteen halve how
// often queries and weights are loaded.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
inline constexpr int kAccumulators = 8;
#else
inline constexpr int kAccumulators = 16;
#endif

/// The first `count` elements of a row as a vector, and zeros: for what is left of a row behind its
/// last whole vector.
template <class T>
HWY_INLINE V widen_tail(const T* from, std::int64_t count) {
  alignas(64) float buffer[kLaneMultiple] = {};
  for (std::int64_t i = 0; i < count; ++i) buffer[i] = static_cast<float>(from[i]);
  return hn::Load(D(), buffer);
}

/// Rows that will be read soon, asked of the memory a little at a time, in the order in which they
/// lie there: the processor's own prefetching follows such a stream, and loses one of half rows or
/// of bursts. To level 2: on the way to level 1 a line takes one of the few places for lines that
/// level 1 waits for, 24 on Zen 4, and two thirds of the memory's speed are not used.
template <class T>
class ReadAhead {
 public:
  ReadAhead(const T* const* rows, std::int64_t count, std::int64_t dim)
      : next_(rows), end_(rows + count), dim_(dim) {}

  /// The next `count` elements. What reads rows asks for as many as it reads.
  HWY_INLINE void ask(std::int64_t count) {
    constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
    if (left_ <= 0) {
      if (next_ == end_) return;
      row_ = *next_++;
      left_ = dim_;
    }
    for (std::int64_t i = 0; i < count; i += kLine) __builtin_prefetch(row_ + i, 0, /*level 2*/ 2);
    row_ += count;
    left_ -= count;
  }

 private:
  const T* const* next_;
  const T* const* end_;
  const T* row_ = nullptr;
  std::int64_t dim_;
  std::int64_t left_ = 0;  ///< of the row
};

// sums[i] = the sum of the lanes of vectors[i], for four of them.
#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void sum_lanes_of_four(const V* vectors, float* sums) {
  for (int i = 0; i < 4; ++i) sums[i] = hn::GetLane(vectors[i]);
}
#else
/// Of four vectors, in each block of four lanes the sum of that block of each: (l0 + l2) + (l1 +
/// l3).
HWY_INLINE V sums_of_blocks(const V* vectors) {
  const D d;
  const auto fold = [d](V x, V y) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y));
  };
  // Each block: a0+a2 c0+c2 a1+a3 c1+c3, the same of b and e; then a b c e.
  return fold(fold(vectors[0], vectors[2]), fold(vectors[1], vectors[3]));
}

/// Block after block.
HWY_INLINE void sum_lanes_of_four(const V* vectors, float* sums) {
  alignas(64) float lanes[kLaneMultiple];
  hn::Store(sums_of_blocks(vectors), D(), lanes);
  const hn::Full128<float> block;
  auto sum = hn::Load(block, lanes);
  for (std::size_t l = 4; l < hn::Lanes(D()); l += 4) {
    sum = hn::Add(sum, hn::Load(block, lanes + l));
  }
  hn::StoreU(sum, block, sums);
}
#endif

/// sums[i] = the sum of the lanes of vectors[i], for all kAccumulators.
HWY_INLINE void sum_lanes(const V* vectors, float* sums) {
  for (int i = 0; i < kAccumulators; i += 4) sum_lanes_of_four(vectors + i, sums + i);
}

/// scores [kRows, kAccumulators / kRows] = the sums of the lanes of as many accumulators.
template <int kRows>
HWY_INLINE void store_sums(const V* acc, float* scores, std::int64_t score_stride) {
  constexpr int kKeys = kAccumulators / kRows;
  alignas(64) float sums[kAccumulators];
  sum_lanes(acc, sums);
  HWY_UNROLL(16)
  for (int a = 0; a < kAccumulators; ++a) scores[a / kKeys * score_stride + a % kKeys] = sums[a];
}

/// scores[r][j] = queries row r . keys[j] for kRows rows (`query_stride` apart) and groups of
/// kKeys keys. An element is one chain of multiply-adds in each lane over the row in order,
/// whatever kRows is.
template <int kRows, class T>
class DotGroups {
 public:
  static constexpr int kKeys = kAccumulators / kRows;

  DotGroups(std::int64_t dim, const float* queries, std::int64_t query_stride)
      : dim_(dim), queries_(queries), query_stride_(query_stride) {}

  /// All groups with a key of `range`. Not inline: the registers are all for the loop.
  HWY_NOINLINE void multiply(KeyRange range, const T* const* keys, ReadAhead<T> ahead,
                             float* scores, std::int64_t score_stride) const {
    for (std::int64_t j = range.begin / kKeys * kKeys; j < range.end; j += kKeys) {
      multiply_group(keys + j, ahead, scores + j, score_stride);
    }
  }

 private:
  HWY_INLINE void multiply_group(const T* const* keys, ReadAhead<T>& ahead, float* scores,
                                 std::int64_t score_stride) const {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    V acc[kAccumulators];
    HWY_UNROLL(16)
    for (int a = 0; a < kAccumulators; ++a) acc[a] = hn::Zero(D());
    std::int64_t i = 0;
    for (; i + 2 * lanes <= dim_; i += 2 * lanes) {
      ahead.ask(kKeys * 2 * lanes);
      add_pair(keys, i, acc);
    }
    for (; i + lanes <= dim_; i += lanes) {
      add_vector(keys, i, acc, [](const T* from) HWY_ATTR { return widen(from); });
    }
    if (i < dim_) {
      const std::int64_t rest = dim_ - i;
      add_vector(keys, i, acc, [rest](const T* from) HWY_ATTR { return widen_tail(from, rest); });
    }
    store_sums<kRows>(acc, scores, score_stride);
  }

  HWY_INLINE V query(int r, std::int64_t i) const {
    return hn::LoadU(D(), queries_ + r * query_stride_ + i);
  }
  HWY_INLINE void add_pair(const T* const* keys, std::int64_t i, V* acc) const {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    V first[kRows], second[kRows];
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      first[r] = query(r, i);
      second[r] = query(r, i + lanes);
    }
    HWY_UNROLL(16)
    for (int j = 0; j < kKeys; ++j) {
      const VectorPair key = widen_pair(keys[j] + i);
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) {
        V& sum = acc[r * kKeys + j];
        sum = hn::MulAdd(first[r], key.first, sum);
        sum = hn::MulAdd(second[r], key.second, sum);
      }
    }
  }
  template <class Load>
  HWY_INLINE void add_vector(const T* const* keys, std::int64_t i, V* acc, const Load& load) const {
    HWY_UNROLL(16)
    for (int j = 0; j < kKeys; ++j) {
      const V key = load(keys[j] + i);
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) {
        acc[r * kKeys + j] = hn::MulAdd(query(r, i), key, acc[r * kKeys + j]);
      }
    }
  }

  std::int64_t dim_;
  const float* queries_;
  std::int64_t query_stride_;
};

/// context[r] += sum over j < count of weights[r][j] * values[j], for kRows rows. An element is one
/// chain of multiply-adds over j in order, whatever kRows is.
template <int kRows, class T>
struct ContextSum {
  std::int64_t dim;
  std::int64_t count;
  const float* weights;
  std::int64_t weight_stride;
  const T* const* values;
  float* context[kRows];

  /// Not inline: the registers are all for the loops.
  HWY_NOINLINE void add(ReadAhead<T> ahead) const {
    std::int64_t i = 0;
    add_pairs<kAccumulators / kRows / 2>(i, ahead);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    for (; i + lanes <= dim; i += lanes) {
      add_vector(i, [](const T* from) HWY_ATTR { return widen(from); });
    }
    if (i == dim) return;
    const std::int64_t rest = dim - i;
    add_vector(i, [rest](const T* from) HWY_ATTR { return widen_tail(from, rest); });
  }

 private:
  /// As many pairs of vectors at a time as there are accumulators for, then half as many.
  template <int kPairs>
  HWY_INLINE void add_pairs(std::int64_t& i, ReadAhead<T>& ahead) const {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    for (; i + 2 * kPairs * lanes <= dim; i += 2 * kPairs * lanes) add_strip<kPairs>(i, ahead);
    if constexpr (kPairs > 1) add_pairs<kPairs / 2>(i, ahead);
  }

  /// kPairs pairs from element i on.
  template <int kPairs>
  HWY_INLINE void add_strip(std::int64_t i, ReadAhead<T>& ahead) const {
    const D d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    V acc[kRows][2 * kPairs];
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(16)
      for (int v = 0; v < 2 * kPairs; ++v) acc[r][v] = hn::LoadU(d, context[r] + i + v * lanes);
    }
    for (std::int64_t j = 0; j < count; ++j) {
      ahead.ask(2 * kPairs * lanes);
      V weight[kRows];
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) weight[r] = hn::Set(d, weights[r * weight_stride + j]);
      HWY_UNROLL(8)
      for (int v = 0; v < kPairs; ++v) {
        const VectorPair value = widen_pair(values[j] + i + 2 * v * lanes);
        HWY_UNROLL(4)
        for (int r = 0; r < kRows; ++r) {
          acc[r][2 * v] = hn::MulAdd(weight[r], value.first, acc[r][2 * v]);
          acc[r][2 * v + 1] = hn::MulAdd(weight[r], value.second, acc[r][2 * v + 1]);
        }
      }
    }
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      HWY_UNROLL(16)
      for (int v = 0; v < 2 * kPairs; ++v) hn::StoreU(acc[r][v], d, context[r] + i + v * lanes);
    }
  }

  template <class Load>
  HWY_INLINE void add_vector(std::int64_t i, const Load& load) const {
    const D d;
    V acc[kRows];
    for (int r = 0; r < kRows; ++r) acc[r] = hn::LoadU(d, context[r] + i);
    for (std::int64_t j = 0; j < count; ++j) {
      const V value = load(values[j] + i);
      for (int r = 0; r < kRows; ++r) {
        acc[r] = hn::MulAdd(hn::Set(d, weights[r * weight_stride + j]), value, acc[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) hn::StoreU(acc[r], d, context[r] + i);
  }
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
