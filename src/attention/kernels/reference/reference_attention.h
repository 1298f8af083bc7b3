#pragma once

#include "attention/attention_shape.h"

namespace limelight {

// Attention in float64, written to be read: the oracle that everything faster is held against.
// Elements may be f32 or f64; all arithmetic is f64. One (batch, head) at a time, the whole row of
// scores in memory.

void reference_forward(const AttentionShape& shape, const ConstTensorView& query,
                       const ConstTensorView& key, const ConstTensorView& value,
                       const TensorView& out, const TensorView& lse);

void reference_backward(const AttentionShape& shape, const ConstTensorView& query,
                        const ConstTensorView& key, const ConstTensorView& value,
                        const ConstTensorView& grad_out, const TensorView& grad_query,
                        const TensorView& grad_key, const TensorView& grad_value);

}  // namespace limelight
