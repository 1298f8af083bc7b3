#pragma once

#include <cstdint>
#include <vector>

#include "attention/attention_shape.h"

namespace limelight {

/// Element d of a row, in f64 whatever the view holds.
inline double element(const ConstTensorView& view, std::int64_t b, std::int64_t head,
                      std::int64_t i, std::int64_t d) {
  const std::int64_t at = b * view.stride(0) + head * view.stride(1) + i * view.stride(2) + d;
  return view.dtype() == DType::f64 ? view.data<double>()[at]
                                    : static_cast<double>(view.data<float>()[at]);
}

inline void set_element(const TensorView& view, std::int64_t b, std::int64_t head, std::int64_t i,
                        std::int64_t d, double value) {
  const std::int64_t at = b * view.stride(0) + head * view.stride(1) + i * view.stride(2) + d;
  if (view.dtype() == DType::f64) {
    view.data<double>()[at] = value;
  } else {
    view.data<float>()[at] = static_cast<float>(value);
  }
}

/// One query's softmax: its weights over the keys it sees, and the lse of their scores. No weights,
/// and -infinity, when it sees none.
struct ReferenceRow {
  std::vector<double> weights;
  double lse;
};

ReferenceRow reference_row(const AttentionShape& shape, const ConstTensorView& query,
                           const ConstTensorView& key, std::int64_t b, std::int64_t head,
                           std::int64_t i);

}  // namespace limelight
