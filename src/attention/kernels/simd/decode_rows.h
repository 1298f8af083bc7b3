#pragma once

#include <cstdint>
#include <vector>

#include "attention/kernels/simd/decode_readings.h"
#include "attention/kernels/simd/kernel_call.h"
#include "attention/scratch.h"
#include "attention/softmax_state.h"

namespace limelight::simd {

/// What a chunk has found out for one row.
struct PartialRow {
  SoftmaxState<float>* state;
  float* context;  ///< [value_width]
};

/// The queries and partial results of all rows: row (batch, head, i).
class DecodeRows {
 public:
  DecodeRows(const KernelCall& call, const std::vector<Sequence>& sequences) : call_(call) {
    for (const Sequence& sequence : sequences) {
      first_partial_.push_back(partials_);
      partials_ += rows_of_sequence() * ceil_div(sequence.kv_len, kDecodeChunk);
    }
  }

  std::int64_t rows_of_sequence() const { return call_.shape.num_heads * call_.shape.q_len; }
  std::int64_t rows() const { return call_.shape.batch * rows_of_sequence(); }
  std::int64_t floats() const {
    return rows() * call_.head_width + partials_ * (call_.value_width + kStateFloats);
  }
  void take(Scratch& scratch) {
    queries_ = scratch.take(rows() * call_.head_width);
    partials_begin_ = scratch.take(partials_ * (call_.value_width + kStateFloats));
  }

  /// Rows of a sequence stand in this order, so that the query heads of one key head at one place
  /// stand side by side.
  std::int64_t row_of(std::int64_t head, std::int64_t i) const {
    const std::int64_t group = call_.shape.group();
    return (head / group * call_.shape.q_len + i) * group + head % group;
  }
  /// [head_width], times softmax_scale.
  float* query(const Sequence& sequence, std::int64_t row) const {
    return queries_ + (sequence.index * rows_of_sequence() + row) * call_.head_width;
  }
  PartialRow partial(const Sequence& sequence, std::int64_t row, std::int64_t chunk) const {
    const std::int64_t at =
        first_partial_[static_cast<std::size_t>(sequence.index)] + chunk * rows_of_sequence() + row;
    float* memory = partials_begin_ + at * (call_.value_width + kStateFloats);
    return {reinterpret_cast<SoftmaxState<float>*>(memory), memory + kStateFloats};
  }

 private:
  static constexpr std::int64_t kStateFloats = kLaneMultiple;  // a state, and padding

  const KernelCall& call_;
  std::vector<std::int64_t> first_partial_;
  std::int64_t partials_ = 0;
  float* queries_ = nullptr;
  float* partials_begin_ = nullptr;
};

}  // namespace limelight::simd
