#pragma once

#include "attention/check_arguments.h"
#include "attention/visibility.h"
#include "base/tiles/tile_unit.h"

namespace limelight::amx {

// Fused attention in bf16 on tiles, with every option: the products are taken by a tile unit (AMX,
// or what AVX512-BF16 makes of vectors), which sums in f32, and what stands between them by vectors
// in f32. Scores are scaled after the product, so that no input is rounded. Weights are rounded to
// bf16 for the second product; their sum is not. In the backward, weights and gradients of scores
// are rounded for the products that give the gradients of query, key and value. The gradient of
// bias is the vector kernels'.
//
// A row has the same bits whatever the number of threads, whatever stands around it in the batch,
// whatever strides its memory has, and whether its keys come as past or as new.
//
// Error against float64, with s = largest sum of |query * key| * scale of a score and u = 2^-24:
//   out  2^-8 (a weight's rounding) + 2^-12 (twice the exponential's) + 8 u (4 + s), times the
//        largest |value|, and one rounding to bf16
//   lse  2^-13 (the exponential's) + 2 u (4 + s) + 16 u
//   gradients  2^-8 (a factor's rounding) + 2^-12 (twice the exponential's), times the sum of the
//        magnitudes of the products that enter one; 64 u (4 + s) sqrt(q_len + kv_len) times the
//        largest; and one rounding to bf16
// Inputs and sums below 2^-126 count as 0. tests/attention/tiles_test.cpp holds them.
//
// Memory of the forward: a packed copy of key and value in bf16, and 3.5 KiB a thread for each of
// head_dim: 0.4 MiB at 128, most of it the queries and contexts of a task. Of the backward: query
// and grad_out in bf16 twice (as columns, and as pairs of rows) and sums of grad_query in f32; and
// 0.1 MiB and 2 KiB for each of head_dim a thread: 0.4 MiB at 128, 1.1 at 512.

/// bf16 throughout. An out or a gradient in f32 asks for more digits than a weight in bf16 has, and
/// f16 has three more than a bf16 could keep of query and key: both are left to the vector kernels.
bool offers(const ForwardArguments& arguments);
bool offers(const BackwardArguments& arguments);

// REQUIRES: arguments and options were checked, gave `shape`, and are offered.

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility,
                       const tiles::TileUnit& unit);

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility,
                        const tiles::TileUnit& unit);

}  // namespace limelight::amx
