#include "attention/kernels/simd/simd_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "attention/softmax_state.h"
#include "base/aligned_buffer.h"
#include "base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/kernels/simd/simd_attention.cpp"
#include <hwy/foreach_target.h>
// Highway wants this order.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "attention/kernels/simd/small_product.inl.h"

// What the kernels of every instruction set share.
#ifndef LIMELIGHT_SIMD_ATTENTION_TYPES
#define LIMELIGHT_SIMD_ATTENTION_TYPES
namespace limelight {

// Tiles. A tile of scores, 24 x 128 floats, takes 12 KiB and stays in L1 (32 KiB) beside what
// streams past it; its keys and values, 128 x head_dim each, take 64 KiB at head_dim 64 and stay in
// L2 while every query block of 24 rows (4 register tiles of 6) walks over them.
inline constexpr std::int64_t kQueryRows = 24;
inline constexpr std::int64_t kKeyColumns = 128;

/// What a kernel needs to know of a call.
struct CausalShape {
  std::int64_t q_len;
  std::int64_t kv_len;
  std::int64_t head_dim;
  std::int64_t value_dim;
  double softmax_scale;
  bool causal;
  std::int64_t causal_offset;  ///< query i sees keys j <= i + causal_offset

  /// Query i sees keys [0, visible_keys(i)).
  std::int64_t visible_keys(std::int64_t i) const {
    return causal ? std::clamp<std::int64_t>(i + causal_offset + 1, 0, kv_len) : kv_len;
  }
};

/// Rows of one head: element (i, d) is data[i * stride + d].
template <class T>
struct HeadRows {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t i) const { return data + i * stride; }
};

/// A block of queries of one head, and what it attends to.
struct ForwardBlock {
  HeadRows<const float> query;  ///< [rows, head_dim]
  const float* key_transposed;  ///< [head_dim, kv_len]
  HeadRows<const float> value;  ///< [kv_len, value_dim]
  HeadRows<float> out;          ///< [rows, value_dim]
  float* lse;                   ///< [rows], or null
  std::int64_t lse_stride;
  std::int64_t first_query;
  std::int64_t rows;
};

/// One head's backward, added to gradients of its key and value.
struct BackwardHead {
  HeadRows<const float> query, key, grad_out;
  const float* key_transposed;    ///< [head_dim, kv_len]
  const float* value_transposed;  ///< [value_dim, kv_len]
  const float* lse;               ///< [q_len], dense
  const float* delta;             ///< [q_len]: sum of out * grad_out of each row
  HeadRows<float> grad_query;     ///< zeroed before
  float* grad_key;                ///< [kv_len, head_dim], dense
  float* grad_value;              ///< [kv_len, value_dim], dense
};

}  // namespace limelight
#endif

HWY_BEFORE_NAMESPACE();
namespace limelight {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

float row_maximum(std::int64_t count, const float* x) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  float maximum = x[0];
  std::int64_t i = 0;
  if (count >= lanes) {
    V maxima = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= count; i += lanes) maxima = hn::Max(maxima, hn::LoadU(d, x + i));
    maximum = hn::GetLane(hn::MaxOfLanes(d, maxima));
  }
  for (; i < count; ++i) maximum = std::max(maximum, x[i]);
  return maximum;
}

/// x[i] = exp(x[i] * scale - shift) for the first `count`; returns their sum.
float exponentials(std::int64_t count, float scale, float shift, float* x) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V scales = hn::Set(d, scale);
  const V shifts = hn::Set(d, shift);
  V sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const V e = hn::Exp(d, hn::MulSub(hn::LoadU(d, x + i), scales, shifts));
    hn::StoreU(e, d, x + i);
    sums = hn::Add(sums, e);
  }
  if (i < count) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(count - i));
    const V rest = hn::MaskedLoad(mask, d, x + i);
    const V e = hn::IfThenElseZero(mask, hn::Exp(d, hn::MulSub(rest, scales, shifts)));
    hn::BlendedStore(e, mask, d, x + i);
    sums = hn::Add(sums, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

void scale_row(std::int64_t count, float factor, float* x) {
  for (std::int64_t i = 0; i < count; ++i) x[i] *= factor;
}

/// Rows [first, last) of the block that see key j, for a causal mask: those from some row on.
std::int64_t first_row_seeing(const CausalShape& shape, std::int64_t first_query, std::int64_t rows,
                              std::int64_t key) {
  if (!shape.causal) return 0;
  return std::clamp<std::int64_t>(key - shape.causal_offset - first_query, 0, rows);
}

/// Online softmax (Milakov and Gimelshein 2018; Dao 2022) of a block of queries over tiles of keys:
/// scores, row maximum, rescale, exponentials, accumulate. A tile's weights beyond a row's last
/// visible key are never multiplied with a value: the product walks row by row where rows see
/// different numbers of keys.
void forward_block(const CausalShape& shape, const ForwardBlock& block) {
  const std::int64_t value_dim = shape.value_dim;
  const auto scale = static_cast<float>(shape.softmax_scale);
  HWY_ALIGN float tile[kQueryRows * kKeyColumns];
  SoftmaxState<float> states[kQueryRows];
  for (std::int64_t r = 0; r < block.rows; ++r) std::fill_n(block.out.row(r), value_dim, 0.0f);

  const std::int64_t most_visible = shape.visible_keys(block.first_query + block.rows - 1);
  for (std::int64_t first_key = 0; first_key < most_visible; first_key += kKeyColumns) {
    const std::int64_t columns = std::min(kKeyColumns, most_visible - first_key);
    const std::int64_t first_row =
        first_row_seeing(shape, block.first_query, block.rows, first_key);
    const std::int64_t rows = block.rows - first_row;
    std::fill_n(tile, rows * kKeyColumns, 0.0f);
    small_product(rows, columns, shape.head_dim,
                  {block.query.row(first_row), block.query.stride, 1},
                  block.key_transposed + first_key, shape.kv_len, tile, kKeyColumns);

    const auto visible_in_tile = [&](std::int64_t r) {
      return std::min(columns, shape.visible_keys(block.first_query + first_row + r) - first_key);
    };
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t visible = visible_in_tile(r);
      float* scores = tile + r * kKeyColumns;
      SoftmaxState<float>& state = states[first_row + r];
      const float next = std::max(state.maximum, scale * row_maximum(visible, scores));
      const float rescale = state.rescale_to(next);
      if (rescale != 1) scale_row(value_dim, rescale, block.out.row(first_row + r));
      state = {next, state.sum * rescale + exponentials(visible, scale, next, scores)};
    }

    // The first row sees least: what it sees, all see, and is one product. The rest is a triangle.
    const std::int64_t common = visible_in_tile(0);
    small_product(rows, value_dim, common, {tile, kKeyColumns, 1}, block.value.row(first_key),
                  block.value.stride, block.out.row(first_row), block.out.stride);
    for (std::int64_t r = 1; r < rows; ++r) {
      small_product(1, value_dim, visible_in_tile(r) - common,
                    {tile + r * kKeyColumns + common, kKeyColumns, 1},
                    block.value.row(first_key + common), block.value.stride,
                    block.out.row(first_row + r), block.out.stride);
    }
  }
  for (std::int64_t r = 0; r < block.rows; ++r) {
    if (!states[r].empty()) scale_row(value_dim, 1 / states[r].sum, block.out.row(r));
    if (block.lse) block.lse[r * block.lse_stride] = states[r].lse();
  }
}

/// weights[j] *= (grad_weights[j] - delta) * scale, into grad_weights.
void score_gradients(std::int64_t count, float delta, float scale, const float* weights,
                     float* grad_weights) {
  for (std::int64_t j = 0; j < count; ++j) {
    grad_weights[j] = weights[j] * (grad_weights[j] - delta) * scale;
  }
}

/// One tile of the backward: queries [i0, i0 + rows), keys [j0, j0 + columns). Weights are
/// recomputed from lse; then the five products of attention's gradient, each beside what it undoes.
void backward_tile(const CausalShape& shape, const BackwardHead& head, std::int64_t i0,
                   std::int64_t rows, std::int64_t j0, std::int64_t columns, float* weights,
                   float* grad_scores) {
  const auto scale = static_cast<float>(shape.softmax_scale);
  const std::int64_t head_dim = shape.head_dim;
  const std::int64_t value_dim = shape.value_dim;
  std::fill_n(weights, rows * kKeyColumns, 0.0f);
  std::fill_n(grad_scores, rows * kKeyColumns, 0.0f);

  // scores = query key^T
  small_product(rows, columns, head_dim, {head.query.row(i0), head.query.stride, 1},
                head.key_transposed + j0, shape.kv_len, weights, kKeyColumns);
  // out = weights value, so grad_weights = grad_out value^T
  small_product(rows, columns, value_dim, {head.grad_out.row(i0), head.grad_out.stride, 1},
                head.value_transposed + j0, shape.kv_len, grad_scores, kKeyColumns);
  // weights = softmax(scale * scores), so grad_scores = scale * weights * (grad_weights - delta)
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t i = i0 + r;
    const std::int64_t visible = std::clamp<std::int64_t>(shape.visible_keys(i) - j0, 0, columns);
    float* row = weights + r * kKeyColumns;
    float* grad_row = grad_scores + r * kKeyColumns;
    if (visible > 0) exponentials(visible, scale, head.lse[i], row);
    std::fill(row + visible, row + columns, 0.0f);
    score_gradients(visible, head.delta[i], scale, row, grad_row);
    std::fill(grad_row + visible, grad_row + columns, 0.0f);
  }
  // grad_value += weights^T grad_out
  small_product(columns, value_dim, rows, {weights, 1, kKeyColumns}, head.grad_out.row(i0),
                head.grad_out.stride, head.grad_value + j0 * value_dim, value_dim);
  // grad_key += grad_scores^T query
  small_product(columns, head_dim, rows, {grad_scores, 1, kKeyColumns}, head.query.row(i0),
                head.query.stride, head.grad_key + j0 * head_dim, head_dim);
  // grad_query += grad_scores key
  small_product(rows, head_dim, columns, {grad_scores, kKeyColumns, 1}, head.key.row(j0),
                head.key.stride, head.grad_query.row(i0), head.grad_query.stride);
}

void backward_head(const CausalShape& shape, const BackwardHead& head) {
  HWY_ALIGN float weights[kQueryRows * kKeyColumns];
  HWY_ALIGN float grad_scores[kQueryRows * kKeyColumns];
  for (std::int64_t j0 = 0; j0 < shape.kv_len; j0 += kKeyColumns) {
    const std::int64_t first_row = first_row_seeing(shape, 0, shape.q_len, j0);
    for (std::int64_t i0 = first_row; i0 < shape.q_len; i0 += kQueryRows) {
      const std::int64_t rows = std::min(kQueryRows, shape.q_len - i0);
      // The last row sees most: no row of the tile sees a key beyond.
      const std::int64_t columns = std::min(kKeyColumns, shape.visible_keys(i0 + rows - 1) - j0);
      backward_tile(shape, head, i0, rows, j0, columns, weights, grad_scores);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace limelight
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limelight {
namespace {

HWY_EXPORT(forward_block);
HWY_EXPORT(backward_head);

template <class T, class View>
HeadRows<T> rows_of(const View& view, std::int64_t b, std::int64_t head) {
  return {view.template data<T>() + b * view.stride(0) + head * view.stride(1), view.stride(2)};
}

HeadRows<const float> head_rows(const ConstTensorView& view, std::int64_t b, std::int64_t head) {
  return rows_of<const float>(view, b, head);
}

HeadRows<float> head_rows(const TensorView& view, std::int64_t b, std::int64_t head) {
  return rows_of<float>(view, b, head);
}

CausalShape causal_shape(const AttentionShape& shape, const AttentionOptions& options) {
  const bool bottom_right = options.causal == CausalAlignment::bottom_right;
  return {.q_len = shape.q_len,
          .kv_len = shape.new_len,
          .head_dim = shape.head_dim,
          .value_dim = shape.value_dim,
          .softmax_scale =
              options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(shape.head_dim))),
          .causal = options.causal.has_value(),
          .causal_offset = bottom_right ? shape.new_len - shape.q_len : 0};
}

bool only_scale_and_causal(const AttentionOptions& o) {
  const bool views = o.past_key.empty() && o.past_value.empty() && o.key_lengths.empty() &&
                     o.cu_seqlens_query.empty() && o.cu_seqlens_key.empty() && o.mask.empty() &&
                     o.bias.empty() && o.query_documents.empty() && o.key_documents.empty() &&
                     o.sinks.empty();
  return views && !o.window && !o.alibi && !o.softcap && !o.dropout;
}

bool is_f32_or_absent(const ConstTensorView& view) {
  return view.empty() || view.dtype() == DType::f32;
}

/// Every head of [batch, heads, length, dim] as [dim, length], one after the other.
AlignedBuffer<float> transpose_heads(const ConstTensorView& view) {
  const std::int64_t heads = view.size(1);
  const std::int64_t length = view.size(2);
  const std::int64_t dim = view.size(3);
  AlignedBuffer<float> packed(static_cast<std::size_t>(view.elements()));
  parallel_for(view.size(0) * heads, [&](std::int64_t index) {
    const HeadRows<const float> rows = head_rows(view, index / heads, index % heads);
    float* to = packed.data() + index * length * dim;
    // Sixteen rows at a time: what is written is a whole cache line.
    constexpr std::int64_t kRows = 16;
    for (std::int64_t i0 = 0; i0 < length; i0 += kRows) {
      const std::int64_t count = std::min(kRows, length - i0);
      for (std::int64_t d = 0; d < dim; ++d) {
        float* line = to + d * length + i0;
        for (std::int64_t i = 0; i < count; ++i) line[i] = rows.row(i0 + i)[d];
      }
    }
  });
  return packed;
}

bool all_finite(const ConstTensorView& view) {
  std::vector<char> finite(static_cast<std::size_t>(view.size(0) * view.size(1)), 1);
  parallel_for(view.size(0) * view.size(1), [&](std::int64_t index) {
    const HeadRows<const float> rows = head_rows(view, index / view.size(1), index % view.size(1));
    // A sum of x * 0 is 0 when all are finite, and NaN otherwise; no branch for each element.
    float zero = 0;
    for (std::int64_t i = 0; i < view.size(2); ++i) {
      for (std::int64_t d = 0; d < view.size(3); ++d) zero += rows.row(i)[d] * 0.0f;
    }
    finite[static_cast<std::size_t>(index)] = zero == 0;
  });
  return std::all_of(finite.begin(), finite.end(), [](char one) { return one != 0; });
}

}  // namespace

bool simd_offers(const ForwardArguments& arguments, const AttentionOptions& options) {
  return arguments.query.dtype() == DType::f32 && arguments.out.dtype() == DType::f32 &&
         is_f32_or_absent(arguments.lse) && only_scale_and_causal(options);
}

bool simd_offers(const BackwardArguments& arguments, const AttentionShape& shape,
                 const AttentionOptions& options) {
  const AttentionGradients& g = arguments.gradients;
  const bool wanted = !g.query.empty() && !g.key.empty() && !g.value.empty() && g.bias.empty() &&
                      g.sinks.empty() && g.past_key.empty() && g.past_value.empty();
  if (!wanted || !only_scale_and_causal(options) || shape.past_len != 0) return false;
  for (const ConstTensorView& view :
       {arguments.query, arguments.key, arguments.value, arguments.out, arguments.lse,
        arguments.grad_out, ConstTensorView(g.query), ConstTensorView(g.key),
        ConstTensorView(g.value)}) {
    if (view.dtype() != DType::f32) return false;
  }
  return all_finite(arguments.query) && all_finite(arguments.key) && all_finite(arguments.value) &&
         all_finite(arguments.grad_out);
}

void simd_forward(const ForwardArguments& arguments, const AttentionShape& call,
                  const AttentionOptions& options) {
  const auto& [query, key, value, out, lse] = arguments;
  const CausalShape shape = causal_shape(call, options);
  const AlignedBuffer<float> key_transposed = transpose_heads(key);
  const auto kernel = HWY_DYNAMIC_DISPATCH(forward_block);
  const std::int64_t blocks = ceil_div(shape.q_len, kQueryRows);
  const std::int64_t heads = call.num_heads;
  parallel_for(call.batch * heads * blocks, [&](std::int64_t index) {
    // Under a causal mask the last blocks cost most: begin with them.
    const std::int64_t first_query = (blocks - 1 - index % blocks) * kQueryRows;
    const std::int64_t b = index / blocks / heads;
    const std::int64_t head = index / blocks % heads;
    const std::int64_t kv_head = head / call.group();
    const HeadRows<const float> queries = head_rows(query, b, head);
    const HeadRows<float> outs = head_rows(out, b, head);
    const std::int64_t kv_index = b * call.num_kv_heads + kv_head;
    float* lse_at = nullptr;
    if (!lse.empty()) {
      lse_at = lse.data<float>() + b * lse.stride(0) + head * lse.stride(1) +
               first_query * lse.stride(2);
    }
    kernel(shape,
           {.query = {queries.row(first_query), queries.stride},
            .key_transposed = key_transposed.data() + kv_index * shape.kv_len * shape.head_dim,
            .value = head_rows(value, b, kv_head),
            .out = {outs.row(first_query), outs.stride},
            .lse = lse_at,
            .lse_stride = lse.empty() ? 0 : lse.stride(2),
            .first_query = first_query,
            .rows = std::min(kQueryRows, shape.q_len - first_query)});
  });
}

void simd_backward(const BackwardArguments& arguments, const AttentionShape& call,
                   const AttentionOptions& options) {
  const auto& [query, key, value, out, lse, grad_out, gradients] = arguments;
  const CausalShape shape = causal_shape(call, options);
  const AlignedBuffer<float> key_transposed = transpose_heads(key);
  const AlignedBuffer<float> value_transposed = transpose_heads(value);
  const auto kernel = HWY_DYNAMIC_DISPATCH(backward_head);
  const std::int64_t group = call.group();
  parallel_for(call.batch * call.num_kv_heads, [&](std::int64_t index) {
    const std::int64_t b = index / call.num_kv_heads;
    const std::int64_t kv_head = index % call.num_kv_heads;
    AlignedBuffer<float> grad_keys(static_cast<std::size_t>(shape.kv_len * shape.head_dim));
    AlignedBuffer<float> grad_values(static_cast<std::size_t>(shape.kv_len * shape.value_dim));
    AlignedBuffer<float> row_lse(static_cast<std::size_t>(shape.q_len));
    AlignedBuffer<float> delta(static_cast<std::size_t>(shape.q_len));
    for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const HeadRows<const float> outs = head_rows(out, b, head);
      const HeadRows<const float> grads = head_rows(grad_out, b, head);
      const HeadRows<float> grad_queries = head_rows(gradients.query, b, head);
      for (std::int64_t i = 0; i < shape.q_len; ++i) {
        const auto at = static_cast<std::size_t>(i);
        row_lse[at] =
            lse.data<float>()[b * lse.stride(0) + head * lse.stride(1) + i * lse.stride(2)];
        delta[at] = 0;
        for (std::int64_t d = 0; d < shape.value_dim; ++d) {
          delta[at] += outs.row(i)[d] * grads.row(i)[d];
        }
        std::fill_n(grad_queries.row(i), shape.head_dim, 0.0f);
      }
      kernel(shape,
             {.query = head_rows(query, b, head),
              .key = head_rows(key, b, kv_head),
              .grad_out = grads,
              .key_transposed = key_transposed.data() + index * shape.kv_len * shape.head_dim,
              .value_transposed = value_transposed.data() + index * shape.kv_len * shape.value_dim,
              .lse = row_lse.data(),
              .delta = delta.data(),
              .grad_query = grad_queries,
              .grad_key = grad_keys.data(),
              .grad_value = grad_values.data()});
    }
    const HeadRows<float> to_key = head_rows(gradients.key, b, kv_head);
    const HeadRows<float> to_value = head_rows(gradients.value, b, kv_head);
    for (std::int64_t j = 0; j < shape.kv_len; ++j) {
      std::copy_n(grad_keys.data() + j * shape.head_dim, shape.head_dim, to_key.row(j));
      std::copy_n(grad_values.data() + j * shape.value_dim, shape.value_dim, to_value.row(j));
    }
  });
}

const char* simd_target_name() {
  const std::int64_t supported = hwy::SupportedTargets();
  // The best target is the lowest bit.
  return hwy::TargetName(supported & -supported);
}

}  // namespace limelight
#endif  // HWY_ONCE
