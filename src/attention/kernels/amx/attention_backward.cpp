#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "attention/element.h"
#include "attention/kernels/amx/attention.h"
#include "attention/kernels/amx/backward_block.h"
#include "attention/kernels/amx/backward_products.h"
#include "attention/kernels/simd/fused_backward.h"
#include "base/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/amx/attention_backward.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/highway.h>

#include "attention/kernels/amx/differentiate.inl.h"
#include "attention/kernels/amx/pack.inl.h"
#include "attention/kernels/amx/scores.inl.h"
#include "attention/kernels/simd/backward_rows.inl.h"

HWY_BEFORE_NAMESPACE();
namespace limelight::amx {
namespace HWY_NAMESPACE {
namespace {

/// Rows of a block as packed tiles [columns, kBlockParts], a row being two queries as
/// place_of_query() pairs them, 0 beyond its rows. Returns whether nothing is NaN or infinite.
/// `rows` is memory for two of them.
bool pack_query_pairs(const ConstTensorView& view, const simd::QueryBlock& block,
                      std::int64_t width, bfloat16* rows, bfloat16* packed) {
  bool finite = true;
  const auto copy = [&](std::int64_t r, bfloat16* to) {
    copy_query(view, block.place, r < block.rows ? block.first + r : kNoRow, width, to);
  };
  for (std::int64_t part = 0; part < kBlockParts; ++part) {
    for (std::int64_t pair = 0; pair < tiles::kColumns; ++pair) {
      const std::int64_t r = part * kQueryRows + pair;
      copy(r, rows);
      copy(r + tiles::kColumns, rows + width);
      finite &= weave_rows(rows, rows + width, width, kBlockParts * tiles::kTileElements,
                           packed + part * tiles::kTileElements + pair * 2 * tiles::kColumns);
    }
  }
  return finite;
}

/// lse as the lanes of weighing want it. A NaN gets the bits that rounding keeps.
float lane_of_lse(double lse) {
  if (std::isnan(lse)) return std::numeric_limits<float>::quiet_NaN();
  return lse == kMinusInfinity ? kSeesNothing : static_cast<float>(lse);
}

void prepare_block(const GradientCall& call, const simd::QueryBlock& block,
                   const PackedBlock& packed, const GradientScratch& scratch) {
  const simd::BackwardCall& backward = call.backward;
  const auto& [query, key, value, out, lse, grad_out, gradients] = backward.arguments;
  store_deltas(backward, block, scratch.rows, scratch.rows + backward.value_width);
  const HeadPlace& place = block.place;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    const bool there = r < block.rows;
    packed.delta[r] = there ? backward.delta[backward.row_index(place, block.first + r)] : 0;
    packed.lse[r] =
        there ? lane_of_lse(read_number(lse.raw(), lse.dtype(),
                                        row_offset(lse, place.sequence.batch, place.head,
                                                   place.sequence.first_query + block.first + r)))
              : kSeesNothing;
  }
  constexpr std::int64_t kTiles = kBlockRows / tiles::kColumns;
  pack_queries(query, place, block.first, block.rows, kTiles, call.head.depth(), scratch.packing,
               packed.query_columns);
  pack_queries(grad_out, place, block.first, block.rows, kTiles, call.value.depth(),
               scratch.packing, packed.grad_columns);
  const bool finite_query =
      pack_query_pairs(query, block, call.head.columns(), scratch.packing, packed.query_pairs);
  const bool finite_grad =
      pack_query_pairs(grad_out, block, call.value.columns(), scratch.packing, packed.grad_pairs);
  *packed.finite = finite_query && finite_grad;
  if (backward.wants_query()) {
    std::fill_n(packed.grad_query, kBlockRows * call.head.columns(), 0.0f);
  }
}

/// A tile of keys and values, and its gradients begin at 0.
void begin_tile(const GradientCall& call, const KeyTile& tile, GradientScratch& scratch) {
  const simd::BackwardCall& backward = call.backward;
  for (std::int64_t strip = 0; strip < kTileStrips; ++strip) {
    const std::int64_t first = tile.keys().begin + strip * kStripKeys;
    const std::int64_t row = strip * kStripKeys;
    pack_keys(backward.keys, tile.sequence, tile.kv_head, first, call.head.depth(), scratch.packing,
              scratch.keys + row * call.head.depth());
    pack_keys(backward.values, tile.sequence, tile.kv_head, first, call.value.depth(),
              scratch.packing, scratch.values + row * call.value.depth());
    scratch.finite_keys[static_cast<std::size_t>(strip)] =
        pack_values(backward.keys, tile.sequence, tile.kv_head, first, call.head.columns(),
                    scratch.packing, scratch.keys_turned + row * call.head.columns());
  }
  std::fill_n(scratch.grad_keys, kTileKeys * call.head.columns(), 0.0f);
  std::fill_n(scratch.grad_values, kTileKeys * call.value.columns(), 0.0f);
}

/// Adds factor * row[d] to the sum at place_of(d) where it is NaN or infinite: what packing left
/// out.
template <class PlaceOf>
void add_special(const ConstTensorView& view, std::int64_t offset, bfloat16 factor,
                 const PlaceOf& place_of) {
  const bfloat16* row = view.data<bfloat16>() + offset;
  for (std::int64_t d = 0; d < view.size(3); ++d) {
    const auto number = static_cast<float>(row[d]);
    if (!std::isfinite(number)) *place_of(d) += static_cast<float>(factor) * number;
  }
}

/// What packing left out of a key and a query that sees it.
void add_special_pair(const GradientCall& call, const WeighedStrip& strip, const BlockPart& part,
                      std::int64_t c, std::int64_t r, const GradientScratch& scratch) {
  const simd::BackwardCall& backward = call.backward;
  const HeadPlace& place = strip.met->queries.place;
  const std::int64_t at = row_index(part.part, c, r);
  const std::int64_t key_of_tile = strip.strip() * kStripKeys + c;
  const auto of_key = [&](float* gradient) {
    return [=](std::int64_t d) {
      return gradient + (d / tiles::kColumns * kTileKeys + key_of_tile) * tiles::kColumns +
             d % tiles::kColumns;
    };
  };
  const auto row_of = [&](const ConstTensorView& view) {
    return row_offset(view, place.sequence.batch, place.head,
                      place.sequence.first_query + part.first_query + r);
  };
  const ConstTensorView& grad_out = backward.arguments.grad_out;
  const ConstTensorView& query = backward.arguments.query;
  add_special(grad_out, row_of(grad_out), strip.weights[at], of_key(scratch.grad_values));
  add_special(query, row_of(query), strip.grad_scores[at], of_key(scratch.grad_keys));
  if (!backward.wants_query()) return;
  const auto [keys, offset] =
      backward.keys.find(place.sequence, place.head / backward.shape.group(), strip.keys.begin + c);
  float* sums = part.grad_query + r / tiles::kColumns * call.head.columns() * tiles::kColumns +
                r % tiles::kColumns;
  add_special(keys, offset, strip.grad_scores[at],
              [&](std::int64_t d) { return sums + d * tiles::kColumns; });
}

/// What packing left out, for the keys that are seen.
void add_special_products(const GradientCall& call, const WeighedStrip& strip,
                          const GradientScratch& scratch) {
  const HeadPlace& place = strip.met->queries.place;
  for (std::int64_t p = strip.first_part; p < strip.first_part + strip.parts; ++p) {
    const BlockPart& part = strip.met->parts[static_cast<std::size_t>(p)];
    for (std::int64_t c = 0; c < strip.keys.end - strip.keys.begin; ++c) {
      for (std::int64_t r = 0; r < part.rows; ++r) {
        const bool visible = call.backward.visibility.visible(
            place.sequence, place.head, part.first_query + r, strip.keys.begin + c);
        if (visible) add_special_pair(call, strip, part, c, r, scratch);
      }
    }
  }
}

/// The block's grad_query, of which all is summed.
void store_query_gradients(const GradientCall& call, const MetBlock& met, float* rows) {
  const std::int64_t width = call.head.columns();
  for (std::int64_t first = 0; first < met.queries.rows; first += tiles::kColumns) {
    transpose_lanes(met.packed.grad_query + first * width, width, rows);
    const std::int64_t last = std::min(met.queries.rows, first + tiles::kColumns);
    for (std::int64_t r = first; r < last; ++r) {
      store_query_gradient(call.backward, met.queries, r, rows + (r - first) * width);
    }
  }
}

/// A tile of keys on its way through all queries that see it. Three strips are at work at a time:
/// while one is weighed, the dot products of the next are computed, and what the block before it
/// weighed enters the gradients.
class TileWalk {
 public:
  TileWalk(const GradientCall& call, const KeyTile& tile, const PackedBlocks& packed,
           GradientScratch& scratch)
      : call_(call), tile_(tile), packed_(packed), scratch_(scratch), session_(call.tile.unit) {
    for (WeighedStrip& strip : scratch.weighed) strip.parts = 0;
  }

  void meet(const simd::QueryBlock& queries) {
    const MetBlock& met = enter(queries);
    bool any = false;
    for (std::int64_t first = tile_.keys().begin; first < tile_.keys().end; first += kStripKeys) {
      const KeyRange keys = {first, std::min(first + kStripKeys, tile_.keys().end)};
      for (const BlockPart& part : met.parts) {
        if (part.rows == 0 || !may_see(part, keys)) continue;
        GradientStrip& strip = scratch_.strips[next_strip_];
        strip.met = &met;
        strip.block = &part;
        strip.keys = keys;
        if (!look_up_strip(call_.tile, queries.place, strip, scratch_.rows)) continue;
        any = true;
        next_strip_ = 1 - next_strip_;
        take_in(&strip);
      }
    }
    if (any) {
      next_met_ = (next_met_ + 1) % kMetBlocks;
    } else if (call_.backward.wants_query()) {  // what is waited for must come also from here
      wait_for_turn(tile_, queries);
      leave(met);
    }
  }

  /// REQUIRES: no block comes after.
  void finish() {
    take_in(nullptr);
    begin_turn();
    multiply_all(session_, products(nullptr, 0, weighed_count()));
    finish_weighed(nullptr);
  }

 private:
  /// Blocks that strips at work may belong to: of the next strip, this one and the one before.
  static constexpr std::size_t kMetBlocks = 3;

  const MetBlock& enter(const simd::QueryBlock& queries) {
    const PackedBlock packed = packed_[queries.number];
    MetBlock& met = met_[next_met_].emplace(MetBlock{queries, packed, {}});
    for (std::int64_t p = 0; p < kBlockParts; ++p) {
      const std::int64_t r = p * kQueryRows;
      const std::int64_t rows = std::min(kQueryRows, queries.rows - r);
      if (rows <= 0) continue;
      met.parts[static_cast<std::size_t>(p)] = {
          tile_block(call_.tile, queries.place, queries.first + r, rows,
                     packed.query_columns + r * call_.head.depth()),
          p,
          packed.grad_columns + r * call_.value.depth(),
          packed.lse + r,
          packed.delta + r,
          packed.grad_query + r * call_.head.columns()};
    }
    return met;
  }

  /// By the masks that leave ranges: these move forward from query to query.
  static bool may_see(const BlockPart& part, KeyRange keys) {
    return part.first_range.begin < keys.end && keys.begin < part.last_range.end;
  }

  BackwardProducts products(const GradientStrip* next, std::int64_t begin, std::int64_t end) const {
    return {call_, scratch_, next, before(), begin, end};
  }
  const WeighedStrip& before() const { return scratch_.weighed[1 - here_]; }
  std::int64_t weighed_count() const {
    return before().parts == 0 ? 0 : GradientProducts(call_, scratch_, before()).count();
  }

  /// Weighs the strip that was taken in last while the dot products of the next one (null: none)
  /// are computed.
  void take_in(const GradientStrip* next) {
    WeighedStrip& here = scratch_.weighed[here_];
    const GradientStrip* current = current_;
    current_ = next;
    if (current == nullptr) return multiply_all(session_, products(next, 0, 0));
    const bool is_first = here.parts == 0;
    if (is_first) begin_turn();
    here.add(*current);
    const bool is_last = next == nullptr || !here.is_of(*next);
    const std::int64_t all = weighed_count();
    const std::int64_t begin = is_first ? 0 : all / 2;
    const std::int64_t end = is_last ? all : all / 2;
    complete_dots(call_.tile, *current);
    StripDifferentiation differentiation(call_.tile, *current, here);
    multiply_beside(session_, products(next, begin, end), differentiation);
    if (begin == end) session_.finish();  // nothing took the place of the dot products
    if (is_last) finish_weighed(here.met);
  }

  /// What enters grad_query does so in the order of tiles.
  void begin_turn() {
    const WeighedStrip& strip = before();
    if (strip.parts == 0 || !call_.backward.wants_query() || has_turn_ == strip.met) return;
    wait_for_turn(tile_, strip.met->queries);
    has_turn_ = strip.met;
  }

  /// All products of the strip that was weighed before have begun. The one after it is of block
  /// `next` (null: there is none).
  void finish_weighed(const MetBlock* next) {
    WeighedStrip& strip = scratch_.weighed[1 - here_];
    if (strip.parts != 0) {
      const bool finite = *strip.met->packed.finite &&
                          scratch_.finite_keys[static_cast<std::size_t>(strip.strip())];
      const bool leaves = call_.backward.wants_query() && strip.met != next;
      if (!finite || leaves || next == nullptr) session_.finish();
      if (!finite) add_special_products(call_, strip, scratch_);
      if (leaves) leave(*strip.met);
      strip.parts = 0;
    }
    here_ = 1 - here_;
  }

  /// The tile has added to the block's grad_query; the last one stores it.
  void leave(const MetBlock& met) {
    if (is_last(tile_, met.queries)) store_query_gradients(call_, met, scratch_.rows);
    pass_turn(tile_, met.queries);
    if (has_turn_ == &met) has_turn_ = nullptr;
  }

  const GradientCall& call_;
  const KeyTile& tile_;
  const PackedBlocks& packed_;
  GradientScratch& scratch_;
  tiles::TileSession session_;
  std::array<std::optional<MetBlock>, kMetBlocks> met_;
  std::size_t next_met_ = 0;
  std::size_t next_strip_ = 0;
  const GradientStrip* current_ = nullptr;  ///< the next to be weighed
  std::size_t here_ = 0;                    ///< where it is weighed to
  const MetBlock* has_turn_ = nullptr;
};

/// The gradients of a tile's keys (or values), of which all is summed.
void store_tile(const KeyTile& tile, const simd::KeyTarget& target, float scale,
                const TileWidth& width, const float* gradient, float* row) {
  simd::HWY_NAMESPACE::store_keys(tile, target, scale, [&](std::int64_t c) {
    for (std::int64_t column = 0; column < width.column_tiles; ++column) {
      std::copy_n(gradient + (column * kTileKeys + c) * tiles::kColumns, tiles::kColumns,
                  row + column * tiles::kColumns);
    }
    return row;
  });
}

void differentiate_tile(const GradientCall& call, const KeyTile& tile, const PackedBlocks& packed,
                        GradientScratch& scratch) {
  begin_tile(call, tile, scratch);
  TileWalk walk(call, tile, packed, scratch);
  for_each_block_of(call.backward, tile, [&](const simd::QueryBlock& block) { walk.meet(block); });
  walk.finish();
  store_tile(tile, call.backward.grad_keys, call.backward.softmax_scale, call.head,
             scratch.grad_keys, scratch.rows);
  store_tile(tile, call.backward.grad_values, 1, call.value, scratch.grad_values, scratch.rows);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight::amx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight::amx {
namespace {

HWY_EXPORT(prepare_block);
HWY_EXPORT(differentiate_tile);

/// What differentiate_in_order() asks of these kernels.
class TileKernels {
 public:
  TileKernels(GradientCall& call, bool alone) : call_(call), alone_(alone), packed_(call) {}

  std::int64_t floats(std::int64_t blocks, int threads) const {
    return blocks * PackedBlocks::floats_of_block(call_) +
           threads * (GradientScratch::floats(call_) +
                      (wants_bias() ? simd::BackwardScratch::floats(call_.backward) : 0));
  }
  void take(Scratch& memory, std::int64_t blocks, int threads) {
    packed_.take(memory, blocks);
    scratch_of_thread_.reserve(static_cast<std::size_t>(threads));
    for (int t = 0; t < threads; ++t) {
      scratch_of_thread_.emplace_back(call_, memory);
      if (wants_bias()) scratch_of_bias_.emplace_back(call_.backward, memory);
    }
  }
  void prepare(const simd::QueryBlock& block, int thread) {
    LIMELIGHT_DISPATCH(prepare_block)(call_, block, packed_[block.number], scratch(thread));
  }
  void differentiate(const simd::KeyTile& tile, int thread) {
    LIMELIGHT_DISPATCH(differentiate_tile)(call_, tile, packed_, scratch(thread));
  }
  void store_bias_gradient() const {
    simd::store_bias_gradient(call_.backward, alone_, scratch_of_bias_);
  }

 private:
  bool wants_bias() const { return !call_.backward.arguments.gradients.bias.empty(); }
  GradientScratch& scratch(int thread) {
    return scratch_of_thread_[static_cast<std::size_t>(thread)];
  }

  GradientCall& call_;
  bool alone_;
  PackedBlocks packed_;
  std::vector<GradientScratch> scratch_of_thread_;
  std::vector<simd::BackwardScratch> scratch_of_bias_;
};

}  // namespace

bool offers(const BackwardArguments& arguments) {
  const AttentionGradients& gradients = arguments.gradients;
  for (const TensorView& gradient : {gradients.query, gradients.key, gradients.value,
                                     gradients.past_key, gradients.past_value}) {
    if (!gradient.empty() && gradient.dtype() != DType::bf16) return false;
  }
  return arguments.query.dtype() == DType::bf16 && arguments.out.dtype() == DType::bf16 &&
         arguments.grad_out.dtype() == DType::bf16;
}

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility,
                        const tiles::TileUnit& unit) {
  simd::BackwardCall backward(arguments, shape, options, visibility, kBlockRows);
  GradientCall call(backward, options, unit);
  TileKernels kernels(call, is_alone(backward));
  differentiate_in_order(backward, options, kernels);
}

}  // namespace limelight::amx
#endif  // HWY_ONCE
