#pragma once

#include <cstdint>

namespace limelight {

/// The places in a forward pass where a recorder may look. In the order in which they are passed;
/// those from ln_1 to residual_out once for every layer.
enum class Door : std::uint8_t {
  embedding,      ///< [tokens, width] token + position
  ln_1,           ///< [tokens, width]
  qkv,            ///< [tokens, 3 * width]
  lse,            ///< [batch * num_heads, length]
  context,        ///< [tokens, width], heads beside each other
  attention_out,  ///< [tokens, width], what attention writes into the stream
  residual_mid,   ///< [tokens, width]
  ln_2,           ///< [tokens, width]
  mlp_hidden,     ///< [tokens, inner_width]
  mlp_activated,  ///< [tokens, inner_width]
  mlp_out,        ///< [tokens, width], what the MLP writes into the stream
  residual_out,   ///< [tokens, width]
  ln_f,           ///< [tokens, width]
};

/// Looks at a run as it happens. The values are only there during the call.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// `layer` is 0 for the doors outside the blocks. The values are [rows, width], row-major.
  virtual void record(Door door, std::int64_t layer, const float* values, std::int64_t rows,
                      std::int64_t width) = 0;
};

}  // namespace limelight
