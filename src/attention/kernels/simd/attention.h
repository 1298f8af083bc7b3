#pragma once

#include <string>

#include "attention/check_arguments.h"
#include "attention/visibility.h"

namespace limelight::simd {

// Fused attention in f32 over portable vectors, with every option: the q_len x kv_len matrix is
// never stored, and tiles of it that no query sees are not computed.
//
// A row has the same bits whatever the number of threads, whatever stands around it in the batch,
// whatever strides its memory has, and whether its keys come as past or as new.
//
// Error against float64, with s = largest sum of |query * key| * scale of a score and u = 2^-24:
//   out        8 u (4 + s) times the largest |value|
//   lse        2 u (4 + s) + 16 u
//   gradients  64 u (4 + s) sqrt(q_len + kv_len) times the largest product that enters them
// and one rounding to the type where that is bf16 or f16. tests/attention/hostile_test.cpp holds
// them.
//
// Memory: a packed copy of key and value in f32 (forward), f32 sums of grad_query where it is not
// f32 (backward), and under 1 MiB a thread for head_dim up to 128 (see the scratch types).

/// Whether these kernels offer a call: f32, bf16 or f16 throughout. What is computed in f64 is left
/// to the reference.
bool offers(const ForwardArguments& arguments);
bool offers(const BackwardArguments& arguments);

// REQUIRES: arguments and options were checked, gave `shape`, and are offered.

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility);

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility);

/// What the kernels say that they were compiled for, by the same dispatch as they are called.
std::string instruction_set_of_kernels();

}  // namespace limelight::simd
