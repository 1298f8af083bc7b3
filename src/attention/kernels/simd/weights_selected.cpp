#include <algorithm>
#include <vector>

#include "attention/for_each_task.h"
#include "attention/kernels/simd/weights_block.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/weights_selected.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/simd/weights_block.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_WEIGHTS_SELECTED_TYPES
#define LIMELIGHT_SIMD_WEIGHTS_SELECTED_TYPES
namespace limelight::simd {

/// A piece of the result: some positions of queries times some of keys, of one head.
struct SelectedPiece {
  std::int64_t batch, head;
  KeyRange queries, keys;
};

}  // namespace limelight::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight::simd {
namespace HWY_NAMESPACE {
namespace {

void store_block(const SelectedWeights& asked, const HeadPlace& place, const QuerySpots& queries,
                 const KeySpots& keys, const WeightsScratch& scratch) {
  const TensorView& out = asked.out;
  for (std::int64_t r = 0; r < queries.count; ++r) {
    const std::int64_t row = row_place(out, place, queries.position[r]);
    for (std::int64_t c = 0; c < keys.count; ++c) {
      out.data<float>()[row + keys.position[c] * out.stride(3)] =
          scratch.weights[r * kTileKeys + c];
    }
  }
}

void clear_piece(const TensorView& out, const SelectedPiece& piece) {
  for (std::int64_t i = piece.queries.begin; i < piece.queries.end; ++i) {
    const std::int64_t row = row_offset(out, piece.batch, piece.head, i);
    for (std::int64_t j = piece.keys.begin; j < piece.keys.end; ++j) {
      out.data<float>()[row + j * out.stride(3)] = 0;
    }
  }
}

void select_piece(const WeightsKernelCall& call, const SelectedWeights& asked,
                  const SelectedPiece& piece, const WeightsScratch& scratch) {
  clear_piece(asked.out, piece);
  for (const Sequence& sequence : call.kernel.visibility.sequences()) {
    if (sequence.batch != piece.batch) continue;
    const HeadPlace place = {sequence, piece.head};
    for (std::int64_t j = piece.keys.begin; j < piece.keys.end;) {
      const KeySpots keys =
          take_spots<kTileKeys>(asked.keys, sequence.first_key, sequence.kv_len, piece.keys.end, j);
      if (keys.count == 0) break;
      pack_keys(call, place, keys, scratch);
      for (std::int64_t i = piece.queries.begin; i < piece.queries.end;) {
        const QuerySpots queries =
            take_spots<kMostBlockQueries>(asked.queries, sequence.first_query, sequence.q_len,
                                          piece.queries.end, i, call.block_queries());
        if (queries.count == 0) break;
        if (!weigh_block(call, place, queries, keys, scratch)) continue;
        store_block(asked, place, queries, keys, scratch);
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::simd {
namespace {

HWY_EXPORT(select_piece);

/// Keys of a piece: enough tiles that looking for its queries costs nothing beside them.
constexpr std::int64_t kPieceKeys = 32 * kTileKeys;

std::vector<SelectedPiece> list_pieces(const AttentionShape& shape, const SelectedWeights& asked) {
  std::vector<SelectedPiece> pieces;
  const std::int64_t rows = asked.queries.size();
  const std::int64_t columns = asked.keys.size();
  for (std::int64_t head = 0; head < shape.batch * shape.num_heads; ++head) {
    for (std::int64_t i = 0; i < rows; i += kPanelQueries) {
      for (std::int64_t j = 0; j < columns; j += kPieceKeys) {
        pieces.push_back({head / shape.num_heads,
                          head % shape.num_heads,
                          {i, std::min(i + kPanelQueries, rows)},
                          {j, std::min(j + kPieceKeys, columns)}});
      }
    }
  }
  return pieces;
}

}  // namespace

void answer(const WeightsCall& call, const SelectedWeights& asked) {
  const WeightsKernelCall kernel_call(call);
  const std::vector<SelectedPiece> pieces = list_pieces(call.shape, asked);
  const double work = static_cast<double>(asked.out.elements()) * call.shape.head_dim;
  const auto select = LIMELIGHT_DISPATCH(select_piece);
  for_each_piece_of_weights(kernel_call, std::ssize(pieces), work, 0,
                            [&](std::int64_t index, const WeightsScratch& scratch, float*) {
                              select(kernel_call, asked, pieces[static_cast<std::size_t>(index)],
                                     scratch);
                            });
}

}  // namespace limelight::simd
#endif  // HWY_ONCE
