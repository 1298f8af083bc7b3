#pragma once

#include <limelight/attention.h>

#include "attention/shape.h"

namespace limelight {

/// The tensors of a forward, named.
struct ForwardArguments {
  ConstTensorView query, key, value;
  TensorView out, lse;
};

/// The tensors of a backward, named.
struct BackwardArguments {
  ConstTensorView query, key, value, out, lse, grad_out;
  AttentionGradients gradients;
};

/// Everything that can be wrong with a call, before any memory is read beyond the small integer
/// tensors. Throws Error.
AttentionShape check_forward(const ForwardArguments& arguments, const AttentionOptions& options);
AttentionShape check_backward(const BackwardArguments& arguments, const AttentionOptions& options);

}  // namespace limelight
