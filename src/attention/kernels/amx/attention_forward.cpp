#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "attention/element.h"
#include "attention/kernels/amx/attention.h"
#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/amx/forward_products.h"
#include "attention/kernels/simd/fused_forward.h"
#include "attention/softmax_state.h"
#include "base/dispatch.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/amx/attention_forward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/amx/pack.inl.h"
#include "attention/kernels/amx/weigh.inl.h"
#include "attention/kernels/simd/forward_rows.inl.h"
#include "attention/kernels/simd/rows.inl.h"

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// One strip of keys and values of a head.
void pack_strip(const TileCall& call, const KeySource& keys, const KeySource& values,
                const Sequence& sequence, std::int64_t kv_head, std::int64_t strip,
                const PackedHead& packed, bfloat16* rows) {
  const std::int64_t first = strip * kStripKeys;
  pack_keys(keys, sequence, kv_head, first, call.head_width, rows,
            packed.keys + first * call.head_width);
  packed.finite_values[strip] = pack_values(values, sequence, kv_head, first, call.value_width,
                                            rows, packed.values + first * call.value_width);
}

/// The blocks of a task, which have seen nothing yet. Returns how many there are.
std::int64_t begin_blocks(const TileCall& call, const ConstTensorView& query,
                          const ForwardTask& task, ForwardScratch& scratch) {
  const std::int64_t count = ceil_div(task.rows, kQueryRows);
  for (std::int64_t b = 0; b < count; ++b) {
    const std::int64_t first = task.first_query + b * kQueryRows;
    const std::int64_t rows = std::min(kQueryRows, task.rows - b * kQueryRows);
    ForwardBlock& block = scratch.blocks[static_cast<std::size_t>(b)];
    block = {
        tile_block(call, task.place, first, rows, scratch.query + b * kQueryRows * call.head_width),
        scratch.context + b * kQueryRows * call.value_width,
        false,
        {}};
    block.state.shifts.fill(kMinusInfinity);
    pack_queries(query, task.place, first, rows, block.query_tiles(), call.head_width,
                 scratch.packing, block.query);
  }
  return count;
}

/// All pairs of a block of a task and a strip of keys that any of its queries may see something of:
/// chunk after chunk of keys, in it block after block, in it strip after strip. So each block meets
/// its keys in order, and they come from level 2.
class StripWalk {
 public:
  StripWalk(const TileCall& call, const ForwardTask& task, ForwardScratch& scratch,
            std::int64_t blocks)
      : call_(call), task_(task), scratch_(scratch), blocks_(blocks) {
    // Ranges move forward from query to query.
    chunk_ = scratch.blocks[0].first_range.begin / kChunkKeys * kChunkKeys;
    end_ = scratch.blocks[static_cast<std::size_t>(blocks - 1)].last_range.end;
    enter_block();
  }

  /// The next one, in `strip`. Null: there is none.
  Strip* advance_to(Strip& strip) {
    while (chunk_ < end_) {
      if (next_ >= block_end_) {
        leave_block();
        continue;
      }
      strip.block = &block();
      strip.keys = {next_, std::min(next_ + kStripKeys, task_.place.sequence.kv_len)};
      next_ += kStripKeys;
      if (look_up_strip(call_, task_.place, strip, scratch_.rows)) return &strip;
    }
    return nullptr;
  }

 private:
  ForwardBlock& block() { return scratch_.blocks[static_cast<std::size_t>(block_)]; }
  void enter_block() {
    next_ = std::max(chunk_, block().first_range.begin / kStripKeys * kStripKeys);
    block_end_ = std::min(chunk_ + kChunkKeys, block().last_range.end);
  }
  void leave_block() {
    if (++block_ == blocks_) {
      block_ = 0;
      chunk_ += kChunkKeys;
    }
    enter_block();
  }

  const TileCall& call_;
  const ForwardTask& task_;
  ForwardScratch& scratch_;
  std::int64_t blocks_;
  std::int64_t block_ = 0;
  std::int64_t chunk_, end_;       ///< keys of all blocks
  std::int64_t next_, block_end_;  ///< keys of the block in the chunk
};

/// What packing left out: values that are NaN or infinite, for the queries that see them.
void add_special_values(const TileCall& call, const KeySource& values, const ForwardTask& task,
                        const Strip& strip) {
  const Sequence& sequence = task.place.sequence;
  const ForwardBlock& block = *strip.block;
  for (std::int64_t c = 0; c < strip.keys.end - strip.keys.begin; ++c) {
    const std::int64_t key = strip.keys.begin + c;
    const auto [view, offset] = values.find(sequence, task.place.head / call.shape.group(), key);
    const bfloat16* value = view.template data<bfloat16>() + offset;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      if (!call.visibility.visible(sequence, task.place.head, block.first_query + r, key)) continue;
      const auto weight = static_cast<float>(strip.weights[weight_index(c, r)]);
      float* context = block.context + r / tiles::kColumns * call.value_width * tiles::kColumns +
                       r % tiles::kColumns;
      for (std::int64_t d = 0; d < call.shape.value_dim; ++d) {
        const auto number = static_cast<float>(value[d]);
        if (!std::isfinite(number)) context[d * tiles::kColumns] += weight * number;
      }
    }
  }
}

/// The context so far, to the shifts that were moved: before the strip's own share is added.
void rescale_context(const TileCall& call, const ForwardBlock& block, const float* rescales) {
  const D d;
  for (std::int64_t tile = 0; tile < block.query_tiles(); ++tile) {
    for_each_lanes([&](std::int64_t lane) HWY_ATTR {
      const V factor = hn::LoadU(d, rescales + tile * tiles::kColumns + lane);
      float* context = block.context + tile * call.value_width * tiles::kColumns + lane;
      for (std::int64_t i = 0; i < call.value_width; ++i) {
        float* row = context + i * tiles::kColumns;
        hn::StoreU(hn::Mul(hn::LoadU(d, row), factor), d, row);
      }
    });
  }
}

/// Scores are what weights are made of: all that stands between the products and that is done.
void complete_scores(const TileCall& call, const HeadPlace& place, const Strip& strip) {
  if (!call.weighs_products) finish_scores(call, strip, nullptr);
  if (!strip.is_whole() || !strip.block->sees_all_of(strip.keys)) hide_outside(call, place, strip);
}

/// Online softmax (Milakov and Gimelshein 2018; Dao 2022) of blocks of queries over strips of keys:
/// while a strip is weighed, the scores of the next are computed, and the context of the one before
/// is added.
void meet_keys(const TileCall& call, const KeySource& values, const ForwardTask& task,
               StripWalk& walk, ForwardScratch& scratch) {
  tiles::TileSession session(call.unit);
  const auto products = [&](const Strip* next, const Strip* previous) {
    return ForwardProducts(call, task.packed, next, previous);
  };
  const auto finish_context = [&](const Strip* strip) {
    if (!strip) return;
    strip->block->begun = true;
    if (task.packed.finite_values[strip->index()]) return;
    session.finish();
    add_special_values(call, values, task, *strip);
  };
  alignas(64) float rescales[kQueryRows];
  Strip* current = walk.advance_to(scratch.strips[0]);
  multiply_all(session, products(current, nullptr));
  std::optional<Strip> last;  // a copy: `next` takes its place, all but its weights
  for (std::size_t i = 1; current; i = 1 - i) {
    const Strip* previous = last ? &*last : nullptr;
    Strip* next = walk.advance_to(scratch.strips[i]);
    complete_scores(call, task.place, *current);
    StripWeighing weighing(*current, call.score_unit() * kLog2E, rescales);
    multiply_beside(session, products(next, previous), weighing);
    finish_context(previous);
    if (!previous || weighing.rescales()) session.finish();
    if (weighing.rescales() && current->block->begun) {
      rescale_context(call, *current->block, rescales);
    }
    last = *current;
    current = next;
  }
  if (!last) return;
  multiply_all(session, products(nullptr, &*last));
  finish_context(&*last);
}

/// The output of a block's queries.
void finish_block(const TileCall& call, const ForwardArguments& arguments, const ForwardTask& task,
                  const ForwardBlock& block, float* rows) {
  if (!block.begun) std::fill_n(block.context, kQueryRows * call.value_width, 0.0f);
  for (std::int64_t tile = 0; tile < block.query_tiles(); ++tile) {
    transpose_lanes(block.context + tile * call.value_width * tiles::kColumns, call.value_width,
                    rows);
    const std::int64_t first = tile * tiles::kColumns;
    for (std::int64_t r = first; r < std::min(block.rows, first + tiles::kColumns); ++r) {
      const auto lane = static_cast<std::size_t>(r);
      const SoftmaxState<float> state = {block.state.shifts[lane] * call.score_unit(),
                                         block.state.sums[lane]};
      finish_row(arguments, task.place, block.first_query + r, task.sink, state,
                 call.shape.value_dim, rows + (r - first) * call.value_width);
    }
  }
}

void forward_task(const TileCall& call, const ForwardArguments& arguments, const KeySource& values,
                  const ForwardTask& task, ForwardScratch& scratch) {
  const std::int64_t blocks = begin_blocks(call, arguments.query, task, scratch);
  StripWalk walk(call, task, scratch, blocks);
  meet_keys(call, values, task, walk, scratch);
  for (std::int64_t b = 0; b < blocks; ++b) {
    finish_block(call, arguments, task, scratch.blocks[static_cast<std::size_t>(b)], scratch.rows);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::amx {
namespace {

HWY_EXPORT(pack_strip);
HWY_EXPORT(forward_task);

/// What pack_and_attend() is told of these kernels.
struct Forward {
  using Call = TileCall;
  using Scratch = ForwardScratch;
  using Block = ForwardTask;
  static constexpr std::int64_t kTileKeys = kStripKeys;
  static constexpr std::int64_t kQueryRows = amx::kQueryRows;
  static constexpr std::int64_t kTaskRows = amx::kTaskRows;

  /// Of a strip's keys, its values, and one byte.
  static std::int64_t tile_floats(const TileCall& call) {
    return kStripKeys * (call.head_width + call.value_width) / 2 + simd::kLaneMultiple;
  }
  static PackedHead packed_head(const TileCall& call, float* memory, std::int64_t strips) {
    auto* keys = reinterpret_cast<bfloat16*>(memory);
    bfloat16* values = keys + strips * kStripKeys * call.head_width;
    return {keys, values, reinterpret_cast<bool*>(values + strips * kStripKeys * call.value_width)};
  }
};

}  // namespace

bool offers(const ForwardArguments& arguments) {
  return arguments.query.dtype() == DType::bf16 && arguments.out.dtype() == DType::bf16;
}

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility,
                       const tiles::TileUnit& unit) {
  const TileCall call(shape, options, visibility, unit);
  const auto pack = LIMELIGHT_DISPATCH(pack_strip);
  const auto attend = LIMELIGHT_DISPATCH(forward_task);
  simd::pack_and_attend<Forward>(
      call, arguments, options,
      [&](const simd::KeySource& keys, const simd::KeySource& values, const Sequence& sequence,
          std::int64_t kv_head, std::int64_t strip, const PackedHead& packed,
          const ForwardScratch& scratch) {
        pack(call, keys, values, sequence, kv_head, strip, packed, scratch.packing);
      },
      [&](const simd::KeySource& values, const ForwardTask& task, ForwardScratch& scratch) {
        attend(call, arguments, values, task, scratch);
      });
}

}  // namespace limelight::amx
#endif  // HWY_ONCE
