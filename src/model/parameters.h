#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/transformer_config.h"

namespace limelight {

/// What kind of tensor a parameter is: it decides how it is initialised, whether weight decay
/// applies, and how files may store it.
enum class ParameterKind : std::uint8_t {
  embedding,         ///< [rows, width]
  linear,            ///< [in, out]
  residual_linear,   ///< [in, out], writes to the residual stream (scaled down at initialisation)
  output_embedding,  ///< [vocab_size, width], when not tied
  gain,              ///< [width]
  bias,              ///< [width]
};

/// One named tensor inside the one buffer that holds all of a model's parameters.
struct ParameterEntry {
  std::string name;  ///< Hugging Face's, without the prefix "transformer."
  ParameterKind kind;
  std::vector<std::int64_t> shape;
  std::size_t offset;  ///< in elements
  std::size_t count;

  /// Matrices are decayed, vectors are not (nanoGPT's rule).
  bool decayed() const { return shape.size() >= 2; }
};

/// Where every parameter of a configuration lies. Parameters, their gradients and the optimizer's
/// moments are each one flat buffer of size() floats with this layout.
class ParameterLayout {
 public:
  explicit ParameterLayout(const TransformerConfig& config);

  const std::vector<ParameterEntry>& entries() const { return entries_; }
  /// Elements in all, padding between tensors included.
  std::size_t size() const { return size_; }
  /// Elements that are parameters.
  std::size_t parameter_count() const;

 private:
  void add(std::string name, ParameterKind kind, std::vector<std::int64_t> shape);

  std::vector<ParameterEntry> entries_;
  std::size_t size_ = 0;
};

/// The parameters of one block; T is float or const float. Biases are null when the model has none.
template <class T>
struct BlockParameters {
  T* ln_1_gain;
  T* ln_1_bias;
  T* qkv_weight;  ///< [width, 3 * width]
  T* qkv_bias;
  T* attention_out_weight;  ///< [width, width]
  T* attention_out_bias;
  T* ln_2_gain;
  T* ln_2_bias;
  T* mlp_in_weight;  ///< [width, inner_width]
  T* mlp_in_bias;
  T* mlp_out_weight;  ///< [inner_width, width]
  T* mlp_out_bias;
};

/// All parameters of a model as pointers into a flat buffer.
template <class T>
struct Parameters {
  T* token_embedding;     ///< [vocab_size, width]
  T* position_embedding;  ///< [context_length, width]
  std::vector<BlockParameters<T>> blocks;
  T* ln_f_gain;
  T* ln_f_bias;
  T* output_embedding;  ///< [vocab_size, width]; the token embedding itself when tied
};

/// Pointers into `buffer`, which has layout.size() elements. T is float, const float, or double.
template <class T>
Parameters<T> parameters_in(const TransformerConfig& config, const ParameterLayout& layout,
                            T* buffer);

/// Fills a buffer with GPT-2's initialisation: normal(0, 0.02) for matrices, those that write to
/// the residual stream divided by sqrt(2 * num_layers); gains 1, biases 0. The same bits for the
/// same seed.
void initialize_parameters(const TransformerConfig& config, const ParameterLayout& layout,
                           std::uint64_t seed, float* buffer);

}  // namespace limelight
