#pragma once

#include <limelight/decode.h>

#include <cstddef>
#include <cstdint>

#include "attention/element.h"
#include "attention/visibility.h"

namespace limelight {

/// The most queries of a sequence that decode takes.
inline constexpr std::int64_t kMostDecodeQueries = 16;

/// The tensors of a call, named.
struct DecodeArguments {
  ConstTensorView query;
  const KeyValueCache& cache;
  TensorView out, lse;
};

/// Everything that can be wrong with a call. Throws Error. The shape's new_len is the capacity.
AttentionShape check_decode(const DecodeArguments& arguments, const AttentionOptions& options);

/// Where the rows of a cache lie. REQUIRES: the cache has been checked.
class CacheRows {
 public:
  CacheRows(const KeyValueCache& cache, const AttentionShape& shape)
      : table_(cache.block_table),
        block_size_(table_.empty() ? shape.new_len : cache.key.size(2)) {}

  bool paged() const { return !table_.empty(); }
  std::int64_t block_size() const { return block_size_; }
  /// The block that entry `index` of a sequence's table names; a contiguous sequence is one block.
  std::int64_t block(std::int64_t batch, std::int64_t index) const {
    return paged() ? read_integer(table_.raw(), table_.dtype(),
                                  batch * table_.stride(0) + index * table_.stride(1))
                   : batch;
  }

  /// Where key j of a sequence lies.
  struct Place {
    std::int64_t block, row;
  };
  Place place(std::int64_t batch, std::int64_t j) const {
    const std::int64_t index = j / block_size_;
    return {block(batch, index), j - index * block_size_};
  }
  /// The row at a place in elements of `view`: key, value or one of their scales.
  static std::int64_t offset(const ConstTensorView& view, std::int64_t kv_head,
                             const Place& place) {
    return place.block * view.stride(0) + kv_head * view.stride(1) + place.row * view.stride(2);
  }

 private:
  ConstTensorView table_;
  std::int64_t block_size_;
};

/// A checked call, and its masks as one.
struct DecodeCall {
  const DecodeArguments& arguments;
  const AttentionShape& shape;
  const AttentionOptions& options;
  const Visibility& visibility;
};

namespace simd {
void decode(const DecodeCall& call);
}  // namespace simd

}  // namespace limelight
