// A block of weights from query, key and lse: what every question about weights is answered from.
//
// Included once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.

#include <hwy/highway.h>

#include <cmath>
#include <cstdint>

#include "attention/kernels/amx/score_rows.inl.h"
#include "attention/kernels/simd/rows.inl.h"
#include "attention/kernels/simd/weights_block.h"

#if defined(LIMELIGHT_WEIGHTS_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMELIGHT_WEIGHTS_BLOCK_INL_H
#undef LIMELIGHT_WEIGHTS_BLOCK_INL_H
#else
#define LIMELIGHT_WEIGHTS_BLOCK_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

inline void pack_keys(const WeightsKernelCall& call, const HeadPlace& place, const KeySpots& keys,
                      const WeightsScratch& scratch) {
  const KernelCall& kernel = call.kernel;
  const std::int64_t kv_head = place.head / kernel.shape.group();
  const auto key_at = [&](std::int64_t c) { return keys.place[c]; };
  if (call.unit) {
    amx::HWY_NAMESPACE::pack_key_columns(call.keys, place.sequence, kv_head, key_at, keys.count,
                                         scratch.on_tiles);
  } else {
    load_keys_transposed(call.keys, place.sequence, kv_head, key_at, keys.count,
                         kernel.shape.head_dim, kernel.head_width, scratch.key_rows, scratch.keys);
  }
}

inline void load_queries(const WeightsKernelCall& call, const HeadPlace& place,
                         const QuerySpots& queries, const WeightsScratch& scratch) {
  const KernelCall& kernel = call.kernel;
  for (std::int64_t r = 0; r < queries.count; ++r) {
    load_row(call.query.raw(), call.query.dtype(),
             row_place(call.query, place, place.sequence.first_query + queries.place[r]),
             kernel.shape.head_dim, kernel.softmax_scale, kernel.head_width,
             scratch.query + r * kernel.head_width);
  }
}

/// scratch.weights [queries, kTileKeys] = scaled dot products.
inline void multiply_by_vectors(const WeightsKernelCall& call, const HeadPlace& place,
                                const QuerySpots& queries, const KeySpots& keys,
                                const WeightsScratch& scratch) {
  const KernelCall& kernel = call.kernel;
  load_queries(call, place, queries, scratch);
  small_product<Product::overwrite>(queries.count, keys.count, kernel.shape.head_dim,
                                    {scratch.query, kernel.head_width, 1},
                                    {scratch.keys, kTileKeys}, {scratch.weights, kTileKeys});
}

/// The same, in which the scale comes last: no bf16 is rounded.
inline void multiply_on_tiles(const WeightsKernelCall& call, const HeadPlace& place,
                              const QuerySpots& queries, const KeySpots& keys,
                              const WeightsScratch& scratch) {
  amx::HWY_NAMESPACE::copy_query_rows(
      call.query, place, [&](std::int64_t r) { return queries.place[r]; }, queries.count,
      scratch.on_tiles);
  amx::HWY_NAMESPACE::multiply_score_rows(*call.unit, queries.count, keys.count, scratch.on_tiles,
                                          scratch.weights, kTileKeys);
  for (std::int64_t r = 0; r < queries.count; ++r) {
    scale_row(padded(keys.count), call.kernel.softmax_scale, scratch.weights + r * kTileKeys);
  }
}

/// Whether the keys stand one after the other, as all but listed ones do.
inline bool consecutive(const KeySpots& keys) {
  for (std::int64_t c = 0; c < keys.count; ++c) {
    if (keys.place[c] != keys.place[0] + c) return false;
  }
  return true;
}

/// From scaled dot products to scores, -infinity where hidden.
inline void finish_listed(const KernelCall& kernel, const HeadPlace& place, std::int64_t query,
                          const KeySpots& keys, const WeightsScratch& scratch, float* row) {
  const KeyRange range = kernel.visibility.range(place.sequence, query);
  for (std::int64_t c = 0; c < keys.count; ++c) {
    const std::int64_t j = keys.place[c];
    scratch.additions[c] = kMinusInfinity;
    if (!range.contains(j)) continue;
    kernel.visibility.fill_additions(place.sequence, place.head, query, {j, j + 1},
                                     scratch.additions + c);
  }
  finish_scores({0, keys.count, scratch.additions, kernel.softcap}, 0, padded(keys.count), row,
                nullptr);
}

inline void finish_consecutive(const KernelCall& kernel, const HeadPlace& place, std::int64_t query,
                               const KeySpots& keys, const WeightsScratch& scratch, float* row) {
  const KeyRange tile = {keys.place[0], keys.place[0] + keys.count};
  const KeyRange seen = columns_seen(kernel, place.sequence, query, tile);
  const float* additions = nullptr;
  if (kernel.has_additions) {
    kernel.visibility.fill_additions(place.sequence, place.head, query, tile, scratch.additions);
    additions = scratch.additions;
  }
  finish_scores({seen.begin, seen.end, additions, kernel.softcap}, 0, padded(keys.count), row,
                nullptr);
}

/// Whether any of the queries has any of the keys in its range.
inline bool any_in_range(const KernelCall& kernel, const HeadPlace& place,
                         const QuerySpots& queries, const KeySpots& keys) {
  const auto [least, most] = std::minmax_element(keys.place, keys.place + keys.count);
  for (std::int64_t r = 0; r < queries.count; ++r) {
    const KeyRange range = kernel.visibility.range(place.sequence, queries.place[r]);
    if (std::max(range.begin, *least) < std::min(range.end, *most + 1)) return true;
  }
  return false;
}

/// scratch.weights [queries, kTileKeys] = scores, -infinity where hidden and up to whole vectors.
/// False where no query has any of the keys in its range: then nothing is written.
/// REQUIRES: there are queries and keys, and the keys have been packed.
inline bool score_block(const WeightsKernelCall& call, const HeadPlace& place,
                        const QuerySpots& queries, const KeySpots& keys,
                        const WeightsScratch& scratch) {
  const KernelCall& kernel = call.kernel;
  if (!any_in_range(kernel, place, queries, keys)) return false;
  (call.unit ? multiply_on_tiles : multiply_by_vectors)(call, place, queries, keys, scratch);
  const bool in_a_row = consecutive(keys);
  for (std::int64_t r = 0; r < queries.count; ++r) {
    float* row = scratch.weights + r * kTileKeys;
    (in_a_row ? finish_consecutive : finish_listed)(kernel, place, queries.place[r], keys, scratch,
                                                    row);
  }
  return true;
}

inline float lse_of(const WeightsKernelCall& call, const HeadPlace& place, std::int64_t query) {
  return static_cast<float>(
      read_number(call.lse.raw(), call.lse.dtype(),
                  row_place(call.lse, place, place.sequence.first_query + query)));
}

/// A row of scores becomes weights.
inline void weigh(std::int64_t width, float lse, float* row) {
  if (std::isnan(lse)) {
    // A visible score was NaN: so is every visible weight, and the hidden ones stay 0.
    for (std::int64_t c = 0; c < width; ++c) row[c] = row[c] == kMinusInfinity ? 0 : lse;
  } else if (lse == kMinusInfinity) {
    std::fill_n(row, width, 0.0f);
  } else {
    exponentials(width, lse, row);
  }
}

/// score_block, and its rows as weights.
inline bool weigh_block(const WeightsKernelCall& call, const HeadPlace& place,
                        const QuerySpots& queries, const KeySpots& keys,
                        const WeightsScratch& scratch) {
  if (!score_block(call, place, queries, keys, scratch)) return false;
  for (std::int64_t r = 0; r < queries.count; ++r) {
    weigh(padded(keys.count), lse_of(call, place, queries.place[r]),
          scratch.weights + r * kTileKeys);
  }
  return true;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#endif  // include guard of this instruction set
