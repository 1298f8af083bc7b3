#pragma once

#include <limelight/tensor.h>

#include <cstdint>
#include <optional>

namespace limelight {

/// Which query sees which key when q_len and kv_len differ.
enum class CausalAlignment : std::uint8_t {
  top_left,      ///< query i sees keys j <= i
  bottom_right,  ///< query i sees keys j <= i + kv_len - q_len: the last query sees every key
};

/// What is attended to, and how scores become weights. Masks compose: a key is visible when every
/// mask given says so.
struct AttentionOptions {
  /// Scores are query . key times this; 1 / sqrt(head_dim) when not given.
  std::optional<double> softmax_scale;
  std::optional<CausalAlignment> causal;
};

/// out = softmax(query keyT * softmax_scale + mask) value, for every batch and head.
///
///   query [batch, num_heads,    q_len,  head_dim]      out [batch, num_heads, q_len, value_dim]
///   key   [batch, num_kv_heads, kv_len, head_dim]      lse [batch, num_heads, q_len] (optional)
///   value [batch, num_kv_heads, kv_len, value_dim]
///
/// Any strides with a last stride of 1, so [batch, length, heads, dim] is passed transposed(1, 2).
/// A row with nothing to attend to gives out = 0 and lse = -infinity.
/// Throws Error on shapes that do not fit together. Safe to call from several threads at once.
void attention(ConstTensorView query, ConstTensorView key, ConstTensorView value, TensorView out,
               const AttentionOptions& options = {}, TensorView lse = {});

/// The gradients of a scalar loss with respect to query, key and value, given its gradient with
/// respect to out; overwrites grad_query, grad_key and grad_value, which have the shapes of query, key
/// and value. `out` and `lse` are what the forward wrote.
void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        TensorView grad_query, TensorView grad_key, TensorView grad_value,
                        const AttentionOptions& options = {});

}  // namespace limelight
