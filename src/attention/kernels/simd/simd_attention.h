#pragma once

#include "attention/check_arguments.h"

namespace limelight {

// Fused attention in f32 over portable vectors: the N x N matrix is never stored. A row's result
// has the same bits whatever the number of threads and whatever stands around it in the batch.
//
// Error against float64, for scores up to 10^2 in size: 1e-6 * sqrt(kv_len) relative to the largest
// value (forward) and to the largest gradient (backward); tests hold it there. Memory: one
// transposed copy of key (backward: and value), and under 200 KiB a thread.

/// Whether these kernels offer what is asked for: f32 throughout, and no option but softmax_scale
/// and causal. Everything else is computed by the reference.
bool simd_offers(const ForwardArguments& arguments, const AttentionOptions& options);
/// The same for a backward, which in addition must find only finite numbers: tiles multiply masked
/// weights, which are 0, with what stands there, and that is wrong for NaN and infinity.
bool simd_offers(const BackwardArguments& arguments, const AttentionShape& shape,
                 const AttentionOptions& options);

// REQUIRES: arguments and options were checked, gave `shape`, and simd_offers them.

void simd_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                  const AttentionOptions& options);
void simd_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                   const AttentionOptions& options);

/// The instruction set that the kernels run on here: "AVX3", "AVX2", ...
const char* simd_target_name();

}  // namespace limelight
