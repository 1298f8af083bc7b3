#pragma once

#include <limelight/tensor.h>

#include <array>
#include <cstdint>

#include "model/transformer_config.h"

namespace limelight {

/// The three parts of a row of qkv [tokens, 3 * width].
enum class QkvPart : std::uint8_t { query, key, value };

/// One part of qkv as [batch, num_heads, length, head_dim], without a copy: a head is a slice of
/// the row. View is TensorView or ConstTensorView, T its element type.
template <class View, class T>
View qkv_view(const TransformerConfig& config, std::int64_t batch, std::int64_t length, T* qkv,
              QkvPart part) {
  const std::int64_t row = 3 * config.width;
  const std::array<std::int64_t, 4> sizes = {batch, config.num_heads, length, config.head_dim()};
  const std::array<std::int64_t, 4> strides = {length * row, config.head_dim(), row, 1};
  return View(qkv + static_cast<std::int64_t>(part) * config.width, DType::f32, sizes, strides);
}

/// A stream [tokens, width] as [batch, num_heads, length, head_dim], without a copy.
template <class View, class T>
View heads_view(const TransformerConfig& config, std::int64_t batch, std::int64_t length,
                T* stream) {
  const std::array<std::int64_t, 4> sizes = {batch, config.num_heads, length, config.head_dim()};
  const std::array<std::int64_t, 4> strides = {length * config.width, config.head_dim(),
                                               config.width, 1};
  return View(stream, DType::f32, sizes, strides);
}

/// lse as [batch, num_heads, length].
template <class View, class T>
View lse_view(const TransformerConfig& config, std::int64_t batch, std::int64_t length, T* lse) {
  return View::of(lse, {batch, config.num_heads, length});
}

}  // namespace limelight
