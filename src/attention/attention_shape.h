#pragma once

#include <limelight/attention.h>

#include <algorithm>
#include <cstdint>

namespace limelight {

/// The extents of one call, checked to fit together, and what follows from its options. Kernels
/// trust it.
struct AttentionShape {
  std::int64_t batch = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  ///< divides num_heads
  std::int64_t q_len = 0;
  std::int64_t kv_len = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;
  double softmax_scale = 0;
  bool causal = false;
  std::int64_t causal_offset = 0;  ///< query i sees keys j <= i + causal_offset

  /// The key and value head that a query head reads.
  std::int64_t kv_head_of(std::int64_t head) const { return head / (num_heads / num_kv_heads); }

  /// Query i sees keys [0, visible_keys(i)).
  std::int64_t visible_keys(std::int64_t i) const {
    return causal ? std::clamp<std::int64_t>(i + causal_offset + 1, 0, kv_len) : kv_len;
  }
};

/// Reads the extents off the views. Throws Error naming the argument, what was expected and what
/// came.
AttentionShape check_attention(const ConstTensorView& query, const ConstTensorView& key,
                               const ConstTensorView& value, const ConstTensorView& out,
                               const ConstTensorView& lse, const AttentionOptions& options);

/// Throws Error unless `view` has this dtype and these sizes, and a last stride of 1.
void check_view(const char* name, const ConstTensorView& view, DType dtype,
                std::initializer_list<std::int64_t> sizes);

/// Rows of a [batch, heads, length, dim] view. T is const or not as the view is.
template <class T, class View>
T* row_of(const View& view, std::int64_t b, std::int64_t head, std::int64_t i) {
  return view.template data<T>() + b * view.stride(0) + head * view.stride(1) + i * view.stride(2);
}

}  // namespace limelight
