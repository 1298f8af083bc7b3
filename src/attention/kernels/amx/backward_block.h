#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "attention/kernels/amx/backward_sizes.h"
#include "attention/kernels/amx/score_strip.h"
#include "attention/kernels/simd/backward_call.h"

namespace limelight::amx {

/// How many tiles a dimension takes: as the depth of a product, and as what it leaves.
struct TileWidth {
  explicit TileWidth(std::int64_t dim)
      : depth_tiles(ceil_div(dim, tiles::kDepth)), column_tiles(ceil_div(dim, tiles::kColumns)) {}

  std::int64_t depth_tiles, column_tiles;

  std::int64_t depth() const { return depth_tiles * tiles::kDepth; }
  std::int64_t columns() const { return column_tiles * tiles::kColumns; }
};

/// What every piece of a backward on tiles shares.
struct GradientCall {
  GradientCall(simd::BackwardCall& backward_call, const AttentionOptions& options,
               const tiles::TileUnit& unit)
      : backward(backward_call),
        tile(backward.shape, options, backward.visibility, unit),
        head(backward.shape.head_dim),
        value(backward.shape.value_dim) {}

  simd::BackwardCall& backward;  ///< where rows and gradients are
  TileCall tile;                 ///< how scores are made
  TileWidth head, value;
};

/// The lse of a query that sees nothing, or is not there.
inline constexpr float kSeesNothing = std::numeric_limits<float>::max();

/// A block of queries, as all tiles of keys read it; and the sums of its gradient.
struct PackedBlock {
  bfloat16* query_columns;  ///< tiles [kBlockRows / tiles::kColumns, head.depth_tiles]
  bfloat16* grad_columns;   ///< the same of grad_out
  bfloat16* query_pairs;    ///< tiles [head.column_tiles, kBlockParts], a row being two queries;
  bfloat16* grad_pairs;     ///< of grad_out; both with 0 for what is NaN or infinite
  float* lse;               ///< [kBlockRows]
  float* delta;             ///< [kBlockRows]
  float* grad_query;        ///< [kBlockRows / tiles::kColumns, head.columns(), tiles::kColumns]
  bool* finite;             ///< nothing of query and grad_out is NaN or infinite
};

/// Where the blocks of all heads of all sequences are.
class PackedBlocks {
 public:
  explicit PackedBlocks(const GradientCall& call) : call_(call) {}

  static std::int64_t floats_of_block(const GradientCall& call) {
    return kBlockRows *
               (call.head.depth() + call.value.depth() + call.head.columns() +
                call.value.columns()) /
               2 +
           2 * kBlockRows + grad_query_floats(call) + simd::kLaneMultiple;
  }
  void take(Scratch& memory, std::int64_t blocks) {
    memory_ = memory.take(blocks * floats_of_block(call_));
  }
  PackedBlock operator[](std::int64_t number) const {
    float* next = memory_ + number * floats_of_block(call_);
    const auto take = [&](std::int64_t floats) {
      next += floats;
      return next - floats;
    };
    const auto take_rows = [&](std::int64_t width) {
      return reinterpret_cast<bfloat16*>(take(kBlockRows * width / 2));
    };
    PackedBlock block = {};
    block.query_columns = take_rows(call_.head.depth());
    block.grad_columns = take_rows(call_.value.depth());
    block.query_pairs = take_rows(call_.head.columns());
    block.grad_pairs = take_rows(call_.value.columns());
    block.lse = take(kBlockRows);
    block.delta = take(kBlockRows);
    block.grad_query = take(grad_query_floats(call_));
    block.finite = reinterpret_cast<bool*>(take(simd::kLaneMultiple));
    return block;
  }

 private:
  static std::int64_t grad_query_floats(const GradientCall& call) {
    return call.backward.wants_query() ? kBlockRows * call.head.columns() : 0;
  }

  const GradientCall& call_;
  float* memory_ = nullptr;
};

/// One of the parts that a block is weighed in.
struct BlockPart : TileBlock {  // of rows 0 where there is none
  std::int64_t part;
  const bfloat16* grad_out;  ///< packed as `query` is
  const float* lse;          ///< [kQueryRows]
  const float* delta;        ///< [kQueryRows]
  float* grad_query;         ///< [kQueryTiles, head.columns(), tiles::kColumns]
};

/// A block of queries while a tile of keys meets it.
struct MetBlock {
  simd::QueryBlock queries;
  PackedBlock packed;
  std::array<BlockPart, kBlockParts> parts;
};

/// A part of a block and a strip of keys, on the way from dot products to gradients of scores.
struct GradientStrip : ScoreStrip<const BlockPart> {
  const MetBlock* met = nullptr;
  float* grad_weights;  ///< as the scores stand
  float* slopes;        ///< of softcap, likewise, or null

  void take(const TileCall& call, Scratch& scratch) {
    ScoreStrip::take(call, scratch);
    grad_weights = scratch.take(kStripScores);
    slopes = call.softcap != 0 ? scratch.take(kStripScores) : nullptr;
  }
  static std::int64_t floats(const TileCall& call) {
    return ScoreStrip::floats(call) + kStripScores * (1 + (call.softcap != 0));
  }
};

/// A block and a strip of keys whose weights and gradients of scores are there, of the parts that
/// see any of it: what enters the gradients. `parts` 0: none.
struct WeighedStrip {
  const MetBlock* met = nullptr;
  KeyRange keys;
  std::int64_t first_part = 0;
  std::int64_t parts = 0;
  bfloat16* weights;      ///< see row_index
  bfloat16* grad_scores;  ///< see row_index
  bfloat16* grad_turned;  ///< [kBlockParts] of grad_scores once more, see weight_index

  void take(Scratch& scratch) {
    for (bfloat16** to : {&weights, &grad_scores, &grad_turned}) {
      *to = take_bf16(scratch, kBlockScores);
    }
  }
  static constexpr std::int64_t kFloats = 3 * kBlockScores / 2;

  void add(const GradientStrip& strip) {
    if (parts++ == 0) {
      met = strip.met;
      keys = strip.keys;
      first_part = strip.block->part;
    }
  }
  /// Which of a tile's strips it is.
  std::int64_t strip() const { return keys.begin / kStripKeys % kTileStrips; }
  bool is_of(const GradientStrip& part) const {
    return met == part.met && keys.begin == part.keys.begin;
  }
};

/// A thread's own memory: a tile of keys with its gradients, and the strips that are at work.
struct GradientScratch {
  bfloat16* packing;      ///< for rows on their way to tiles
  bfloat16* keys;         ///< strips of tiles [kStripRowTiles, head.depth_tiles], a row being a key
  bfloat16* values;       ///< strips of tiles [kStripRowTiles, value.depth_tiles], likewise
  bfloat16* keys_turned;  ///< strips of tiles [head.column_tiles, kStripDepthTiles], a column
                          ///< being a key; with 0 for what is NaN or infinite
  float* grad_keys;       ///< [head.column_tiles, kTileKeys, tiles::kColumns]
  float* grad_values;     ///< [value.column_tiles, kTileKeys, tiles::kColumns]
  float* rows;            ///< [kQueryRows, kStripKeys] of what is looked up, or rows of gradients
  std::array<bool, kTileStrips> finite_keys;
  std::array<GradientStrip, 2> strips;
  std::array<WeighedStrip, 2> weighed;

  GradientScratch(const GradientCall& call, Scratch& scratch)
      : packing(take_bf16(scratch, packing_numbers(call))),
        keys(take_bf16(scratch, simd::kTileKeys * call.head.depth())),
        values(take_bf16(scratch, simd::kTileKeys * call.value.depth())),
        keys_turned(take_bf16(scratch, simd::kTileKeys * call.head.columns())),
        grad_keys(scratch.take(simd::kTileKeys * call.head.columns())),
        grad_values(scratch.take(simd::kTileKeys * call.value.columns())),
        rows(scratch.take(row_floats(call))),
        finite_keys{} {
    for (GradientStrip& strip : strips) strip.take(call.tile, scratch);
    for (WeighedStrip& strip : weighed) strip.take(scratch);
  }
  static std::int64_t floats(const GradientCall& call) {
    return packing_numbers(call) / 2 +
           simd::kTileKeys * (call.head.depth() + call.value.depth() + call.head.columns()) / 2 +
           simd::kTileKeys * (call.head.columns() + call.value.columns()) + row_floats(call) +
           2 * (GradientStrip::floats(call.tile) + WeighedStrip::kFloats);
  }

 private:
  /// A tile of queries; or two rows of keys and a depth of theirs, woven.
  static std::int64_t packing_numbers(const GradientCall& call) {
    return (2 + tiles::kDepth) * std::max(call.head.depth(), call.value.depth());
  }
  static std::int64_t row_floats(const GradientCall& call) {
    return std::max(kStripScores,
                    tiles::kColumns * std::max(call.head.depth(), call.value.depth()));
  }
};

}  // namespace limelight::amx
