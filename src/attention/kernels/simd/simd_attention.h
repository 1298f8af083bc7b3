#pragma once

#include "attention/attention_shape.h"

namespace limelight {

// Fused attention in f32 over portable vectors: the N x N matrix is never stored. A row's result
// has the same bits whatever the number of threads and whatever stands around it in the batch.
//
// Error against float64, for scores up to 10^2 in size: 1e-6 * sqrt(kv_len) relative to the largest
// value (forward) and to the largest gradient (backward); tests hold it there. Memory: one
// transposed copy of key (backward: and value), and under 200 KiB a thread.

void simd_forward(const AttentionShape& shape, const ConstTensorView& query,
                  const ConstTensorView& key, const ConstTensorView& value, const TensorView& out,
                  const TensorView& lse);

void simd_backward(const AttentionShape& shape, const ConstTensorView& query,
                   const ConstTensorView& key, const ConstTensorView& value,
                   const ConstTensorView& out, const ConstTensorView& lse,
                   const ConstTensorView& grad_out, const TensorView& grad_query,
                   const TensorView& grad_key, const TensorView& grad_value);

/// The instruction set that the kernels run on here: "AVX3", "AVX2", ...
const char* simd_target_name();

}  // namespace limelight
