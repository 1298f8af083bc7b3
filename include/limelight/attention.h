#pragma once

#include <limelight/tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace limelight {

/// Which query stands beside which key when their numbers differ. Everything that speaks of a
/// query's place among the keys (causal, window, ALiBi) says which one it means.
enum class CausalAlignment : std::uint8_t {
  /// Query 0 stands beside the first new key: query i sees every past key and the new keys j <= i.
  top_left,
  /// The last query stands beside the last key: query i sees keys j <= i + kv_len - q_len, where
  /// kv_len counts the keys that there are (past ones too; key_lengths[b] where given).
  bottom_right,
};

/// A query at place p sees keys p - left to p + right.
struct SlidingWindow {
  static constexpr std::int64_t kUnlimited = -1;
  CausalAlignment alignment;
  std::int64_t left = kUnlimited;
  std::int64_t right = kUnlimited;
};

/// Attention with linear biases (Press et al. 2022): a query at place p adds -slope * |p - j| to
/// its score for key j.
struct Alibi {
  CausalAlignment alignment;
  ConstTensorView slopes;  ///< [num_heads] or [batch, num_heads]; f64, f32, bf16 or f16
};

/// Weights are zeroed with this probability after the softmax and the others divided by 1 -
/// probability. Whether a weight is kept is a function of (seed, stream, batch, head, query, key)
/// alone, by Philox4x32-10 (Salmon et al. 2011): the same in the backward, and for any number of
/// threads.
struct Dropout {
  double probability;  ///< in [0, 1)
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  ///< another mask for the same seed: a layer, a step
};

/// What is attended to, and how scores become weights. Masks compose: a key is visible when every
/// mask given says so. An empty view means that the option is not used. For query i and key j:
///
///   score  = softmax_scale * query_i . key_j
///   score  = softcap * tanh(score / softcap)                  where given
///   score += bias_ij - slope * |place_i - j|                  where given; -infinity hides
///   weight = exp(score) / (sum over visible j of exp(score) + exp(sink))
struct AttentionOptions {
  /// 1 / sqrt(head_dim) when not given.
  std::optional<double> softmax_scale;
  std::optional<CausalAlignment> causal;
  std::optional<SlidingWindow> window;

  /// Keys and values that come before `key` and `value`: kv_len = past_len + new_len.
  ConstTensorView past_key;    ///< [batch, num_kv_heads, past_len, head_dim]
  ConstTensorView past_value;  ///< [batch, num_kv_heads, past_len, value_dim]

  /// [batch], i32 or i64: item b has key_lengths[b] keys, past ones counted; those after are
  /// hidden.
  ConstTensorView key_lengths;

  /// Ragged batches: sequences of different lengths one after the other along the length axis, in
  /// tensors of batch 1. Sequence s has queries cu_seqlens_query[s] to cu_seqlens_query[s + 1] - 1
  /// and sees its own keys only. [sequences + 1], i32 or i64, from 0 to the length, never falling.
  ConstTensorView cu_seqlens_query;
  ConstTensorView cu_seqlens_key;

  /// Boolean or u8, of a shape that broadcasts to [batch, num_heads, q_len, kv_len] (axes missing
  /// at the front count as 1): non-zero is visible.
  ConstTensorView mask;
  /// Added to the scores; f64, f32, bf16 or f16; broadcasts as mask does. -infinity hides.
  ConstTensorView bias;
  std::optional<Alibi> alibi;

  /// A query sees the keys of its own document. [batch, q_len] and [batch, kv_len], i32 or i64.
  ConstTensorView query_documents;
  ConstTensorView key_documents;

  /// Bounds scores softly to +-softcap before anything is added to them (Gemma 2). Positive.
  std::optional<double> softcap;
  /// [num_heads], f64, f32, bf16 or f16: a score that takes its share of the weights and has no
  /// value (gpt-oss).
  ConstTensorView sinks;
  std::optional<Dropout> dropout;

  /// Asked now and then, on the calling thread: true ends the call soon, and it returns with
  /// unspecified outputs. Must not throw. May call the operator itself.
  std::function<bool()> should_stop;
};

/// out = softmax(query keyT * softmax_scale + mask) value, for every batch and head.
///
///   query [batch, num_heads,    q_len,   head_dim]     out [batch, num_heads, q_len, value_dim]
///   key   [batch, num_kv_heads, new_len, head_dim]     lse [batch, num_heads, q_len] (optional)
///   value [batch, num_kv_heads, new_len, value_dim]
///
/// Any strides with a last stride of 1, so [batch, length, heads, dim] is passed transposed(1, 2).
/// num_heads is a multiple of num_kv_heads: query head h reads key head h / (num_heads /
/// num_kv_heads).
///
/// Types: query, key, value and past share one of f32, bf16, f16, f64; out has that type or a wider
/// one; lse is f32 or f64. Computed in f64 where query or out is f64, else in f32; where all is
/// bf16 and the processor has AMX or AVX512-BF16, weights are rounded to bf16 before they meet
/// values (and, with their gradients, before they enter gradients): docs/performance.md, Accuracy,
/// has what that costs.
///
/// lse is the natural logarithm of the sum of a row's exp(score), a sink's included. A row with
/// nothing to attend to gives out = 0 and lse = -infinity. What is hidden contributes nothing at
/// all, also when it holds NaN or infinity; NaN in a visible place shows.
///
/// The bits of a row depend on that row's inputs and the instruction set alone: not on the number
/// of threads, the batch around the row, the strides, or on whether keys came as past or as new.
///
/// Throws Error, naming the argument, on shapes that do not fit together, types that are not
/// offered, strides or extents that cannot be, missing data, outputs that overlap anything else,
/// and options that contradict each other. Safe to call from several threads at once. Uses the
/// process's OpenMP threads. Scratch memory stays with the calling thread for its next call.
void attention(ConstTensorView query, ConstTensorView key, ConstTensorView value, TensorView out,
               const AttentionOptions& options = {}, TensorView lse = {});

/// What attention_backward is asked for: it overwrites the views that are not empty. Each has the
/// shape of what it is the gradient of, and its type or a wider one; sums are kept in f32 (f64
/// where the forward computes in f64) whatever the type.
struct AttentionGradients {
  TensorView query;
  TensorView key;
  TensorView value;
  TensorView past_key;
  TensorView past_value;
  TensorView bias;   ///< summed over the axes that options.bias broadcasts
  TensorView sinks;  ///< summed over batch and queries
};

/// The gradients of a scalar loss, given its gradient with respect to out. `out` and `lse` are what
/// the forward wrote with the same options (lse is not optional here). Throws as attention does.
void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        const AttentionGradients& gradients, const AttentionOptions& options = {});

/// The same for query, key and value.
void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        TensorView grad_query, TensorView grad_key, TensorView grad_value,
                        const AttentionOptions& options = {});

}  // namespace limelight
