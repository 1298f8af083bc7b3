#pragma once

#include <cstdint>

namespace limelight {

/// The extents of one call, which fit together: see check_arguments.h.
struct AttentionShape {
  std::int64_t batch = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;
  std::int64_t q_len = 0;
  std::int64_t past_len = 0;
  std::int64_t new_len = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;

  std::int64_t kv_len() const { return past_len + new_len; }
  /// Query heads that read one key head: heads kv_head * group() and after.
  std::int64_t group() const { return num_kv_heads == 0 ? 0 : num_heads / num_kv_heads; }
  /// Multiply-adds of the forward when every key is visible.
  double multiply_adds() const {
    return static_cast<double>(batch * num_heads) * static_cast<double>(q_len) *
           static_cast<double>(kv_len()) * static_cast<double>(head_dim + value_dim);
  }
};

}  // namespace limelight
