// What is asked of every row for itself, over all its keys: the largest weights, the entropy.

#include <algorithm>
#include <vector>

#include "attention/kernels/simd/weights_block.h"
#include "base/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/weights_of_rows.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/weights_block.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_WEIGHTS_OF_ROWS_TYPES
#define LIMELIGHT_SIMD_WEIGHTS_OF_ROWS_TYPES
namespace limelight::simd {

/// At most kPanelQueries queries of one head.
struct Panel {
  HeadPlace place;
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
};

using TopEntry = WeightedKey<float>;

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

template <std::int64_t kMost>
void fill_spots(std::int64_t first, std::int64_t end, Spots<kMost>& spots) {
  spots.count = end - first;
  for (std::int64_t i = 0; i < spots.count; ++i) {
    spots.place[i] = spots.position[i] = first + i;
  }
}

/// Calls body(queries, keys) for every block of the panel and every tile that one of its queries
/// has in its range, once the tile is packed: tile after tile, in the order of the keys.
template <class Body>
void for_each_block(const WeightsKernelCall& call, const Panel& panel,
                    const WeightsScratch& scratch, const Body& body) {
  const Sequence& sequence = panel.place.sequence;
  const std::int64_t end_query = panel.first_query + panel.rows;
  const std::int64_t begin = call.kernel.visibility.range(sequence, panel.first_query).begin;
  const std::int64_t end = call.kernel.visibility.range(sequence, end_query - 1).end;
  KeySpots keys;
  QuerySpots queries;
  for (std::int64_t j = begin / kTileKeys * kTileKeys; j < end; j += kTileKeys) {
    fill_spots(j, std::min(j + kTileKeys, sequence.kv_len), keys);
    pack_keys(call, panel.place, keys, scratch);
    for (std::int64_t i = panel.first_query; i < end_query; i += call.block_queries()) {
      fill_spots(i, std::min(i + call.block_queries(), end_query), queries);
      body(queries, keys);
    }
  }
}

/// Offers the weights of a row that may enter its list.
void offer_row(const KeySpots& keys, const Sequence& sequence, const float* row,
               TopList<float>& list) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < keys.count; c += lanes) {
    const auto passed = hn::Le(hn::LoadU(d, row + c), hn::Set(d, list.threshold()));
    if (hn::AllTrue(d, passed)) continue;
    for (std::int64_t l = c; l < std::min(c + lanes, keys.count); ++l) {
      if (row[l] != 0) list.offer({row[l], sequence.first_key + keys.place[l]});
    }
  }
}

/// `entries` is memory for k entries of each row.
void top_of_panel(const WeightsKernelCall& call, const TopWeights& asked, const Panel& panel,
                  const WeightsScratch& scratch, TopEntry* entries) {
  const Sequence& sequence = panel.place.sequence;
  TopList<float> lists[kPanelQueries];
  for (std::int64_t r = 0; r < panel.rows; ++r) lists[r] = {entries + r * asked.k(), asked.k()};
  for_each_block(call, panel, scratch, [&](const QuerySpots& queries, const KeySpots& keys) {
    if (!weigh_block(call, panel.place, queries, keys, scratch)) return;
    for (std::int64_t r = 0; r < queries.count; ++r) {
      offer_row(keys, sequence, scratch.weights + r * kTileKeys,
                lists[queries.place[r] - panel.first_query]);
    }
  });
  for (std::int64_t r = 0; r < panel.rows; ++r) {
    lists[r].sort();
    asked.write(sequence.batch, panel.place.head, sequence.first_query + panel.first_query + r,
                lists[r]);
  }
}

/// The sum of -exp(x) x over x = score - lse, where a hidden one (-infinity) adds nothing.
float entropy_of(std::int64_t width, float lse, const float* scores) {
  const D d;
  const V lses = hn::Set(d, lse);
  const V hidden = hn::Set(d, kMinusInfinity);
  V sums = hn::Zero(d);
  for_each_vector(width, [&](std::int64_t i) HWY_ATTR {
    const V score = hn::LoadU(d, scores + i);
    const V x = hn::Sub(score, lses);
    const V term = hn::IfThenZeroElse(hn::Eq(score, hidden), hn::Mul(exp_of(x), x));
    sums = hn::Sub(sums, term);
  });
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

void entropy_of_panel(const WeightsKernelCall& call, const RowEntropy& asked, const Panel& panel,
                      const WeightsScratch& scratch) {
  const Sequence& sequence = panel.place.sequence;
  double entropy[kPanelQueries] = {};
  for_each_block(call, panel, scratch, [&](const QuerySpots& queries, const KeySpots& keys) {
    if (!score_block(call, panel.place, queries, keys, scratch)) return;
    for (std::int64_t r = 0; r < queries.count; ++r) {
      const float lse = lse_of(call, panel.place, queries.place[r]);
      if (lse == kMinusInfinity) continue;
      entropy[queries.place[r] - panel.first_query] +=
          entropy_of(padded(keys.count), lse, scratch.weights + r * kTileKeys);
    }
  });
  const TensorView& out = asked.out;
  for (std::int64_t r = 0; r < panel.rows; ++r) {
    write_number(out.raw(), out.dtype(),
                 row_place(out, panel.place, sequence.first_query + panel.first_query + r),
                 entropy[r]);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(top_of_panel);
HWY_EXPORT(entropy_of_panel);

/// body(panel, scratch, own) for all queries of all heads.
template <class Body>
void for_each_panel(const WeightsKernelCall& call, std::int64_t own_floats, const Body& body) {
  const AttentionShape& shape = call.kernel.shape;
  const std::vector<Sequence>& sequences = call.kernel.visibility.sequences();
  const std::vector<Task> panels = list_tasks(sequences, shape.num_heads, [](const Sequence& s) {
    return ceil_div(s.q_len, kPanelQueries);
  });
  const auto run = [&](std::int64_t index, const WeightsScratch& scratch, float* own) {
    // Under a causal mask the last panels cost most: begin with them.
    const auto& [s, head, part] = panels[panels.size() - 1 - static_cast<std::size_t>(index)];
    const Sequence& sequence = sequences[static_cast<std::size_t>(s)];
    const std::int64_t first = part * kPanelQueries;
    body(Panel{{sequence, head}, first, std::min(kPanelQueries, sequence.q_len - first)}, scratch,
         own);
  };
  for_each_piece_of_weights(call, std::ssize(panels), shape.multiply_adds(), own_floats, run);
}

}  // namespace

void answer(const WeightsCall& call, const TopWeights& asked) {
  const WeightsKernelCall kernel_call(call);
  constexpr std::int64_t kFloatsOfEntry = sizeof(TopEntry) / sizeof(float);
  const auto top = LIMELIGHT_DISPATCH(top_of_panel);
  for_each_panel(kernel_call, kPanelQueries * asked.k() * kFloatsOfEntry,
                 [&](const Panel& panel, const WeightsScratch& scratch, float* own) {
                   top(kernel_call, asked, panel, scratch, reinterpret_cast<TopEntry*>(own));
                 });
}

void answer(const WeightsCall& call, const RowEntropy& asked) {
  const WeightsKernelCall kernel_call(call);
  const auto entropy = LIMELIGHT_DISPATCH(entropy_of_panel);
  for_each_panel(kernel_call, 0, [&](const Panel& panel, const WeightsScratch& scratch, float*) {
    entropy(kernel_call, asked, panel, scratch);
  });
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
