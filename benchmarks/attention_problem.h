#pragma once

#include <limelight/attention.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "layers/gemm.h"
#include "layers/softmax.h"

namespace limelight::bench {

inline constexpr std::int64_t kHeads = 8;

/// A self-attention whose cost is asked for.
struct AttentionExtents {
  std::int64_t length;
  std::int64_t head_dim;
  bool causal;
  std::int64_t window = 0;  ///< keys before its own that a query sees; 0: all

  /// Pairs of query and key that a head computes with.
  double visible_pairs() const {
    const auto n = static_cast<double>(length);
    if (!causal) return n * n;
    if (window == 0 || window >= length) return n * (n + 1) / 2;
    const auto w = static_cast<double>(window);
    return (w + 1) * (n - w) + w * (w + 1) / 2;
  }
  double flops(int products) const {
    return 2.0 * products * static_cast<double>(kHeads * head_dim) * visible_pairs();
  }
};

/// Memory of one call in f32 or bf16, filled with normal numbers.
template <class T>
class AttentionProblemOf {
 public:
  explicit AttentionProblemOf(const AttentionExtents& extents) : extents_(extents) {
    if (extents.causal) options_.causal = CausalAlignment::top_left;
    if (extents.window > 0) {
      options_.window = SlidingWindow{CausalAlignment::top_left, extents.window, 0};
    }
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* tensor : {&query_, &key_, &value_, &grad_out_}) {
      tensor->resize(static_cast<std::size_t>(kHeads * extents.length * extents.head_dim));
      for (T& x : *tensor) x = T(normal(random));
    }
    for (auto* tensor : {&out_, &grad_query_, &grad_key_, &grad_value_}) {
      tensor->resize(query_.size());
    }
    lse_.resize(static_cast<std::size_t>(kHeads * extents.length));
  }

  void forward() {
    attention(read(query_), read(key_), read(value_), write(out_), options_, lse());
  }
  void backward() {
    attention_backward(read(query_), read(key_), read(value_), read(out_), lse(), read(grad_out_),
                       write(grad_query_), write(grad_key_), write(grad_value_), options_);
  }

  /// The whole matrix of scores of one head after the other. Knows no mask. For f32 alone.
  void unfused() {
    const std::int64_t n = extents_.length;
    const std::int64_t d = extents_.head_dim;
    scores_.resize(static_cast<std::size_t>(n * n));
    for (std::int64_t h = 0; h < kHeads; ++h) {
      gemm(n, n, d, {query_.data() + h * n * d, d}, {key_.data() + h * n * d, d, true}, false,
           scores_.data(), n);
      softmax_forward(n, n, scores_.data(), scores_.data());
      gemm(n, d, n, {scores_.data(), n}, {value_.data() + h * n * d, d}, false,
           out_.data() + h * n * d, d);
    }
  }

 private:
  ConstTensorView read(const std::vector<T>& x) const {
    return ConstTensorView::of(x.data(), {1, kHeads, extents_.length, extents_.head_dim});
  }
  TensorView write(std::vector<T>& x) const {
    return TensorView::of(x.data(), {1, kHeads, extents_.length, extents_.head_dim});
  }
  TensorView lse() { return TensorView::of(lse_.data(), {1, kHeads, extents_.length}); }

  AttentionExtents extents_;
  AttentionOptions options_;
  std::vector<T> query_, key_, value_, grad_out_, out_, grad_query_, grad_key_, grad_value_;
  std::vector<float> lse_, scores_;
};
using AttentionProblem = AttentionProblemOf<float>;

}  // namespace limelight::bench
