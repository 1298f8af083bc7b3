#pragma once

#include <limelight/decode.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "base/aligned_buffer.h"

namespace limelight::bench {

/// The heads of one query, and those of the cache that it reads.
inline constexpr std::int64_t kQueryHeads = 32;
inline constexpr std::int64_t kKeyHeads = 8;
inline constexpr std::int64_t kCacheDim = 128;

/// Sequences of one length, in blocks that stand in any order, or as one piece for each.
struct CacheLayout {
  std::int64_t block_size = 0;  ///< 0: contiguous
  std::int64_t sequences = 1;
  std::int64_t shared_length = 0;  ///< of the prefix whose blocks are the first sequence's
};

/// One query against a cache, filled with numbers. Query and out have the cache's type; with int8,
/// f32.
class DecodeProblem {
 public:
  DecodeProblem(DType dtype, std::int64_t length, const CacheLayout& layout)
      : length_(length), layout_(layout), dtype_(dtype) {
    const std::int64_t block_size = layout.block_size == 0 ? length : layout.block_size;
    const std::int64_t blocks = length / block_size;
    const std::int64_t all = layout.sequences * blocks;
    const std::int64_t sizes[] = {all, kKeyHeads, block_size, kCacheDim};
    const auto rows = static_cast<std::size_t>(all * kKeyHeads * block_size);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    const auto view = [&](AlignedBuffer<std::byte>& bytes) {
      bytes = AlignedBuffer<std::byte>(rows * kCacheDim * size_of(dtype));
      for (std::size_t i = 0; i < rows * kCacheDim; ++i) put(bytes, dtype, i, normal(random));
      return ConstTensorView(bytes.data(), dtype, sizes);
    };
    const auto numbers = static_cast<std::size_t>(layout.sequences * kQueryHeads * kCacheDim);
    query_ = AlignedBuffer<std::byte>(numbers * size_of(query_dtype()));
    for (std::size_t i = 0; i < numbers; ++i) put(query_, query_dtype(), i, normal(random));
    out_ = AlignedBuffer<std::byte>(query_.size());
    cache_.key = view(key_);
    cache_.value = view(value_);
    if (dtype == DType::i8) {
      scales_.assign(rows, 1.0f / 32);
      cache_.key_scales = cache_.value_scales =
          ConstTensorView::of(scales_.data(), {all, kKeyHeads, block_size});
    }
    if (layout.block_size == 0) return;
    table_.resize(static_cast<std::size_t>(all));
    std::iota(table_.begin(), table_.end(), 0);
    std::shuffle(table_.begin(), table_.end(), random);
    for (std::int64_t i = 0; i < all; ++i) {
      if (i % blocks * block_size < layout.shared_length) table_[i] = table_[i % blocks];
    }
    cache_.block_table = ConstTensorView::of(table_.data(), {layout.sequences, blocks});
  }

  void run() {
    const std::int64_t sizes[] = {layout_.sequences, kQueryHeads, 1, kCacheDim};
    const auto view = [&](AlignedBuffer<std::byte>& x) {
      return TensorView(x.data(), query_dtype(), sizes);
    };
    decode(view(query_), cache_, view(out_));
  }

  /// Of the cache, read once.
  double bytes() const {
    const double row =
        static_cast<double>(kCacheDim * size_of(dtype_)) + (dtype_ == DType::i8 ? 4 : 0);
    return 2 * row * static_cast<double>(layout_.sequences * kKeyHeads * length_);
  }
  /// Two products of every query head with what its key head has.
  double flops() const {
    return 2.0 * 2 * static_cast<double>(layout_.sequences * kQueryHeads * length_ * kCacheDim);
  }

 private:
  DType query_dtype() const { return dtype_ == DType::i8 ? DType::f32 : dtype_; }

  static void put(AlignedBuffer<std::byte>& bytes, DType dtype, std::size_t i, float x) {
    void* data = bytes.data();
    switch (dtype) {
      case DType::bf16:
        static_cast<bfloat16*>(data)[i] = bfloat16(x);
        return;
      case DType::f16:
        static_cast<float16*>(data)[i] = float16(x);
        return;
      case DType::i8:
        static_cast<std::int8_t*>(data)[i] = static_cast<std::int8_t>(x * 32);
        return;
      default:
        static_cast<float*>(data)[i] = x;
    }
  }

  std::int64_t length_;
  CacheLayout layout_;
  DType dtype_;
  AlignedBuffer<std::byte> key_, value_, query_, out_;
  std::vector<float> scales_;
  std::vector<std::int32_t> table_;
  KeyValueCache cache_;
};

}  // namespace limelight::bench
