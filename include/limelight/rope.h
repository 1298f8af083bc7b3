#pragma once

#include <limelight/tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

namespace limelight {

/// Which two elements of a row turn together, with n = rotary_dim / 2.
enum class RopePairs : std::uint8_t {
  half_split,   ///< i and i + n: GPT-NeoX, Llama in Hugging Face's layout, ONNX's default
  interleaved,  ///< 2 i and 2 i + 1: RoFormer (Su et al. 2021), GPT-J, Llama as published
};

/// Positions divided by a factor (Chen et al. 2023): a window of `factor` times the length.
struct RopeLinearScaling {
  double factor;
};

/// Llama 3.1's: slow frequencies are divided by `factor`, fast ones kept, those between blended.
struct RopeLlama3Scaling {
  double factor = 8;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 8192;
};

/// YaRN (Peng et al. 2023): frequencies that turn more than beta_fast times in the original context
/// are kept, those below beta_slow are divided by `factor`, those between blended. Queries and keys
/// are multiplied by attention_factor, 0.1 ln(factor) + 1 when it is 0.
struct RopeYarnScaling {
  double factor = 4;
  double original_context = 4096;
  double beta_fast = 32;
  double beta_slow = 1;
  double attention_factor = 0;
};

struct RopeOptions {
  double theta = 10000;
  /// The first so many elements of a row turn, the others pass; 0 means all. Even.
  std::int64_t rotary_dim = 0;
  RopePairs pairs = RopePairs::half_split;
  std::variant<std::monostate, RopeLinearScaling, RopeLlama3Scaling, RopeYarnScaling> scaling;
};

/// The angle, in radians, by which each pair turns from one position to the next:
/// theta^(-2 i / rotary_dim) for pair i, scaled. REQUIRES: rotary_dim > 0 in options, or head_dim.
/// Throws Error on options that cannot be.
std::vector<double> rope_frequencies(std::int64_t head_dim, const RopeOptions& options);

/// What YaRN multiplies cosines and sines by; 1 with other scalings.
double rope_attention_factor(const RopeOptions& options);

enum class RopeDirection : std::uint8_t {
  forward,
  backward,  ///< the gradient of x, given that of out: turned the other way
};

/// Rotary position embedding: each pair (a, b) of row x[b, h, i, :] turns by positions[i] *
/// frequency: (a cos - b sin, a sin + b cos).
///
///   x, out     [batch, heads, length, head_dim], of one type of f64, f32, bf16, f16; last stride
///   1;
///              out may be x itself, and must not overlap it otherwise
///   positions  [length] or [batch, length], i32 or i64
///
/// Angles, cosines and sines are computed in f64, the rotation in f64, and the result is rounded
/// once to the type of out. Throws Error, naming the argument. Safe from several threads.
void rope(ConstTensorView x, ConstTensorView positions, TensorView out,
          const RopeOptions& options = {}, RopeDirection direction = RopeDirection::forward);

/// The same with cosines and sines from elsewhere: [length, rotary_dim / 2] or
/// [batch, length, rotary_dim / 2], f64, f32, bf16 or f16.
void rope_rotate(ConstTensorView x, ConstTensorView cosines, ConstTensorView sines, TensorView out,
                 RopePairs pairs, RopeDirection direction = RopeDirection::forward);

}  // namespace limelight
