#include <limelight/attention.h>

#include "attention/check_arguments.h"
#include "attention/kernels/amx/attention.h"
#include "attention/kernels/reference/attention.h"
#include "attention/kernels/simd/attention.h"
#include "attention/visibility.h"
#include "base/instruction_set.h"

namespace limelight {

void attention(ConstTensorView query, ConstTensorView key, ConstTensorView value, TensorView out,
               const AttentionOptions& options, TensorView lse) {
  const ForwardArguments arguments = {query, key, value, out, lse};
  const AttentionShape shape = check_forward(arguments, options);
  const Visibility visibility(shape, options);
  if (const tiles::TileUnit* unit = tile_unit(); unit && amx::offers(arguments)) {
    return amx::attention_forward(arguments, shape, options, visibility, *unit);
  }
  if (simd::offers(arguments)) {
    return simd::attention_forward(arguments, shape, options, visibility);
  }
  reference::attention_forward(arguments, shape, options, visibility);
}

void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        const AttentionGradients& gradients, const AttentionOptions& options) {
  const BackwardArguments arguments = {query, key, value, out, lse, grad_out, gradients};
  const AttentionShape shape = check_backward(arguments, options);
  const Visibility visibility(shape, options);
  if (const tiles::TileUnit* unit = tile_unit(); unit && amx::offers(arguments)) {
    return amx::attention_backward(arguments, shape, options, visibility, *unit);
  }
  if (simd::offers(arguments)) {
    return simd::attention_backward(arguments, shape, options, visibility);
  }
  reference::attention_backward(arguments, shape, options, visibility);
}

void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        TensorView grad_query, TensorView grad_key, TensorView grad_value,
                        const AttentionOptions& options) {
  AttentionGradients gradients;
  gradients.query = grad_query;
  gradients.key = grad_key;
  gradients.value = grad_value;
  attention_backward(query, key, value, out, lse, grad_out, gradients, options);
}

}  // namespace limelight
