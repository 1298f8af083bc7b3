#pragma once

#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/tiles/tile_unit.h"

namespace limelight {

/// A linear layer's weight, packed once for the tile unit and multiplied with many times: in bf16,
/// summed in f32.
///
/// A row of the result depends on that row of x alone: not on the rows beside it or the number of
/// threads. Error of a sum of `in_width` products: 2^-8 (the rounding of x and of the weight, each
/// to half of bf16's spacing) + in_width * 2^-24, times the sum of |x| |weight|; numbers below
/// 2^-126 count as 0.
///
/// Immutable; safe from several threads.
class TileProduct {
 public:
  /// weight [in_width, out_width], or [out_width, in_width] where it is transposed.
  TileProduct(std::int64_t in_width, std::int64_t out_width, const float* weight,
              bool transposed = false);

  std::int64_t in_width() const { return in_width_; }
  std::int64_t out_width() const { return out_width_; }

  /// out [rows, out_width] = x [rows, in_width] * weight + bias (or null). Contiguous.
  void forward(const tiles::TileUnit& unit, std::int64_t rows, const float* x, const float* bias,
               float* out) const;

 private:
  std::int64_t in_width_, out_width_;
  std::int64_t depth_tiles_, column_tiles_;  ///< that these take
  AlignedBuffer<bfloat16> packed_;           ///< [column_tiles, depth_tiles] tiles
};

}  // namespace limelight
