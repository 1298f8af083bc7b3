#include <algorithm>
#include <cmath>
#include <vector>

#include "attention/element.h"
#include "attention/kernels/amx/attention.h"
#include "attention/kernels/amx/forward_block.h"
#include "attention/kernels/amx/interleaved_products.h"
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

void load_queries(const TileCall& call, const ConstTensorView& query, const ForwardBlock& block,
                  bfloat16* rows) {
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    copy_row(query,
             row_offset(query, sequence.batch, block.place.head,
                        sequence.first_query + block.first_query + r),
             call.shape.head_dim, call.head_width, rows + r * call.head_width);
  }
  std::fill(rows + block.rows * call.head_width, rows + kQueryRows * call.head_width, bfloat16());
}

/// The strips of a block that any of its queries may see something of, in order.
class StripWalk {
 public:
  StripWalk(const TileCall& call, const ForwardBlock& block)
      : call_(call),
        rows_{block.place, block.first_query, 0, block.rows},
        next_(range_of(0).begin / kStripKeys * kStripKeys),
        end_(range_of(block.rows - 1).end) {}

  /// The next one, with what is added to its scores. Null: there is none.
  Strip* advance_to(Strip& strip) {
    while (next_ < end_) {
      strip.keys = {next_, std::min(next_ + kStripKeys, rows_.place.sequence.kv_len)};
      next_ += kStripKeys;
      if (!call_.has_additions || look_up(call_, rows_, strip.keys, kStripKeys, strip.additions)) {
        return &strip;
      }
    }
    return nullptr;
  }

 private:
  KeyRange range_of(std::int64_t r) const {
    return call_.visibility.range(rows_.place.sequence, rows_.first_query + r);
  }

  const TileCall& call_;
  QueryRows rows_;
  std::int64_t next_;
  std::int64_t end_;
};

/// Row r's dot products become scores: scaled, and -infinity where the row does not see.
void finish_strip_row(const TileCall& call, const Strip& strip, const HeadPlace& place,
                      std::int64_t query, std::int64_t r) {
  float* row = strip.rows + r * kStripKeys;
  scale_row(kStripKeys, call.softmax_scale, row);
  const KeyRange seen = columns_seen(call, place.sequence, query, strip.keys);
  const bool sees_all = seen.begin == 0 && seen.end == kStripKeys;
  if (sees_all && !call.has_additions && call.softcap == 0) return;
  const float* additions = call.has_additions ? strip.additions + r * kStripKeys : nullptr;
  finish_scores({seen.begin, seen.end, additions, call.softcap}, 0, kStripKeys, row, nullptr);
}

/// Row r's scores become weights against the largest score so far, and the strip notes what was
/// summed before is to be rescaled by.
void weigh_row(const TileCall& call, const ForwardBlock& block, const Strip& strip, std::int64_t r,
               SoftmaxState<float>& state, float* factors) {
  const std::int64_t query = block.first_query + r;
  finish_strip_row(call, strip, block.place, query, r);
  float* row = strip.rows + r * kStripKeys;
  const float next = std::max(state.maximum, row_maximum(kStripKeys, row));
  const float rescale = state.rescale_to(next);
  strip.rescales[r] = state.empty() ? 1 : rescale;
  const bool drops = call.visibility.dropout() != nullptr;
  if (drops) look_up_dropout(call, block.place, query, strip.keys, kStripKeys, factors);
  // A row that has seen nothing yet has no maximum: its weights are 0, or NaN where it sees NaN.
  const float shift = next == kMinusInfinity ? 0 : next;
  const float sum = weigh_scores(shift, drops ? factors : nullptr, row);
  state = {next, state.sum * rescale + sum};
}

/// What packing left out: values that are NaN or infinite, for the rows that see them.
void add_special_values(const TileCall& call, const KeySource& values, const ForwardBlock& block,
                        const Strip& strip, float* context) {
  const Sequence& sequence = block.place.sequence;
  for (std::int64_t c = 0; c < strip.keys.end - strip.keys.begin; ++c) {
    const std::int64_t key = strip.keys.begin + c;
    const auto [view, offset] = values.find(sequence, block.place.head / call.shape.group(), key);
    const bfloat16* value = view.template data<bfloat16>() + offset;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      if (!call.visibility.visible(sequence, block.place.head, block.first_query + r, key))
        continue;
      const auto weight =
          static_cast<float>(strip.weights()[r * Strip::kWeightStride + weight_index(c)]);
      for (std::int64_t d = 0; d < call.shape.value_dim; ++d) {
        const auto number = static_cast<float>(value[d]);
        if (!std::isfinite(number)) context[r * call.value_width + d] += weight * number;
      }
    }
  }
}

/// The context so far, to the maxima that a strip found: before its own share is added.
void rescale_context(const TileCall& call, const ForwardBlock& block, const Strip& strip,
                     float* context) {
  for (std::int64_t r = 0; r < block.rows; ++r) {
    if (strip.rescales[r] != 1) {
      scale_row(call.value_width, strip.rescales[r], context + r * call.value_width);
    }
  }
}

/// Online softmax (Milakov and Gimelshein 2018; Dao 2022) of a block of queries over strips of
/// keys, three at a time: while a strip is weighed, the scores of the next are computed, and the
/// context of the one before is added.
void forward_block(const TileCall& call, const ForwardArguments& arguments, const KeySource& values,
                   const ForwardBlock& block, ForwardScratch& scratch) {
  const tiles::TileSession session(call.unit);
  load_queries(call, arguments.query, block, scratch.query);
  std::fill_n(scratch.context, kQueryRows * call.value_width, 0.0f);
  SoftmaxState<float> states[kQueryRows];

  StripWalk walk(call, block);
  const auto products = [&](const Strip* next, const Strip* previous) {
    return InterleavedProducts(call, session, block, scratch, next, previous);
  };
  const auto finish_context = [&](const Strip* strip) {
    if (strip && !block.packed.finite_values[strip->index()]) {
      add_special_values(call, values, block, *strip, scratch.context);
    }
  };
  Strip* previous = nullptr;
  Strip* current = walk.advance_to(scratch.strips[0]);
  products(current, nullptr).run_all();
  for (int i = 1; current; i = (i + 1) % ForwardScratch::kStrips) {
    Strip* next = walk.advance_to(scratch.strips[i]);
    InterleavedProducts between = products(next, previous);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      weigh_row(call, block, *current, r, states[r], scratch.factors);
      between.run_until(r + 1, block.rows);
    }
    finish_context(previous);
    rescale_context(call, block, *current, scratch.context);
    previous = current;
    current = next;
  }
  products(nullptr, previous).run_all();
  finish_context(previous);

  for (std::int64_t r = 0; r < block.rows; ++r) {
    finish_row(arguments, block.place, block.first_query + r, block.sink, states[r],
               call.shape.value_dim, scratch.context + r * call.value_width);
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
HWY_EXPORT(forward_block);

/// The packed keys and values of all heads of all sequences, one strip after the other.
class PackedHeads {
 public:
  explicit PackedHeads(const TileCall& call)
      : call_(call), order_(call, kStripKeys), keys_of_all_(order_.tiles() * kStripKeys) {}

  /// Of keys, values and one byte a strip.
  std::int64_t floats() const {
    return keys_of_all_ * (call_.head_width + call_.value_width) / 2 + simd::padded(order_.tiles());
  }
  void take(Scratch& scratch) {
    keys_ = ForwardScratch::take_bf16(scratch, keys_of_all_ * call_.head_width);
    values_ = ForwardScratch::take_bf16(scratch, keys_of_all_ * call_.value_width);
    finite_ = reinterpret_cast<bool*>(scratch.take(simd::padded(order_.tiles())));
  }

  PackedHead of(const Sequence& sequence, std::int64_t kv_head) const {
    const std::int64_t strip = order_.first_tile(sequence, kv_head);
    return {keys_ + strip * kStripKeys * call_.head_width,
            values_ + strip * kStripKeys * call_.value_width, finite_ + strip};
  }

 private:
  const TileCall& call_;
  simd::TileOrder order_;
  std::int64_t keys_of_all_;
  bfloat16* keys_ = nullptr;
  bfloat16* values_ = nullptr;
  bool* finite_ = nullptr;
};

/// What pack_and_attend() is told of these kernels.
struct Forward {
  using Call = TileCall;
  using PackedHeads = amx::PackedHeads;
  using Scratch = ForwardScratch;
  using Block = ForwardBlock;
  static constexpr std::int64_t kTileKeys = kStripKeys;
  static constexpr std::int64_t kQueryRows = amx::kQueryRows;
  static constexpr std::int64_t kTaskRows = kQueryRows;
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
  const auto attend = LIMELIGHT_DISPATCH(forward_block);
  simd::pack_and_attend<Forward>(
      call, arguments, options,
      [&](const simd::KeySource& keys, const simd::KeySource& values, const Sequence& sequence,
          std::int64_t kv_head, std::int64_t strip, const PackedHead& packed,
          const ForwardScratch& scratch) {
        pack(call, keys, values, sequence, kv_head, strip, packed, scratch.packing);
      },
      [&](const simd::KeySource& values, const ForwardBlock& block, ForwardScratch& scratch) {
        attend(call, arguments, values, block, scratch);
      });
}

}  // namespace limelight::amx
#endif  // HWY_ONCE
