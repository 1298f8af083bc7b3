#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "attention/kernels/amx/score_strip.h"

namespace limelight::amx {

/// Keys and values of one head of one sequence, strip after strip (pack.inl.h).
struct PackedHead {
  bfloat16* keys;       ///< strips of [kStripRowTiles, depth_tiles] tiles, a row being a key
  bfloat16* values;     ///< strips of [value_tiles, kStripDepthTiles] tiles, a column being a key
  bool* finite_values;  ///< [strips]: none of a strip's values is NaN or infinite
};

/// Queries that meet their keys together: of one head, at most kTaskRows.
struct ForwardTask {
  simd::HeadPlace place;
  PackedHead packed;
  std::int64_t first_query;  ///< of the sequence
  std::int64_t rows;
  float sink;  ///< -infinity: none
};

/// What is kept of a block's queries while they meet their keys: lane after lane.
struct BlockState {
  std::array<float, kQueryRows> shifts;  ///< what is subtracted from scores, in score units
  std::array<float, kQueryRows> sums;    ///< of weights
};

/// Queries of a task, which meet strip after strip.
struct ForwardBlock : TileBlock {
  float* context;  ///< [kQueryTiles, value_width, tiles::kColumns]
  bool begun;      ///< the context has been added to
  BlockState state;
};

/// A block and a strip of keys, on the way from scores to weights. The memory serves every other.
struct Strip : ScoreStrip<ForwardBlock> {
  bfloat16* weights;  ///< see weight_index
};

/// A thread's own memory.
struct ForwardScratch {
  bfloat16* packing;  ///< for rows of keys, values or queries on their way to tiles
  float* rows;        ///< [kQueryRows, kStripKeys] of what is looked up, or of context
  bfloat16* query;    ///< of the blocks of a task
  float* context;     ///< likewise
  std::array<ForwardBlock, kTaskRows / kQueryRows> blocks;
  std::array<Strip, 2> strips;

  ForwardScratch(const TileCall& call, Scratch& scratch)
      : packing(take_bf16(scratch, packing_numbers(call))),
        rows(scratch.take(row_floats(call))),
        query(take_bf16(scratch, kTaskRows * call.head_width)),
        context(scratch.take(kTaskRows * call.value_width)) {
    for (Strip& strip : strips) {
      strip.take(call, scratch);
      strip.weights = take_bf16(scratch, kStripScores);
    }
  }
  static std::int64_t floats(const TileCall& call) {
    return packing_numbers(call) / 2 + row_floats(call) +
           kTaskRows * (call.head_width / 2 + call.value_width) + 2 * Strip::floats(call) +
           kStripScores;
  }

 private:
  /// A tile of queries, a row of keys, or two rows of values and a depth of theirs, woven.
  static std::int64_t packing_numbers(const TileCall& call) {
    return tiles::kColumns * call.head_width + (2 + tiles::kDepth) * call.value_width;
  }
  static std::int64_t row_floats(const TileCall& call) {
    return std::max(kQueryRows * kStripKeys, tiles::kColumns * call.value_width);
  }
};

}  // namespace limelight::amx
