#pragma once

#include <limelight/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace limelight {

// Checks of single arguments. Each throws Error, naming the argument, what was expected and what
// came.

/// "[2, 8, 128, 64]"; `kAnySize` prints as "*".
inline constexpr std::int64_t kAnySize = -1;
std::string shape_string(std::initializer_list<std::int64_t> sizes);

/// Sizes that fit together with the strides and with memory: none negative, no offset beyond what
/// 64 bits address, data where there are elements. The last stride is 1 where `dense_rows`.
void check_memory(std::string_view name, ConstTensorView view, bool dense_rows);

/// `meaning` says the axes in words: "[batch, num_heads, q_len, head_dim]".
void check_rank(std::string_view name, ConstTensorView view, int rank, std::string_view meaning);
void check_shape(std::string_view name, ConstTensorView view,
                 std::initializer_list<std::int64_t> expected, std::string_view meaning);

/// A shape that broadcasts to `full`, whose meaning the message gives.
void check_broadcasts(std::string_view name, ConstTensorView view,
                      std::initializer_list<std::int64_t> full, std::string_view meaning);

/// One of the types given.
void check_dtype(std::string_view name, ConstTensorView view, std::initializer_list<DType> allowed);

/// Memory that is written: no element at the place of another.
void check_writable(std::string_view name, ConstTensorView view);

}  // namespace limelight
