#pragma once

#include <limelight/attention.h>

#include <functional>

namespace limelight {

/// The attention that a model runs on, as a value: another kernel, a recorder or a ring over
/// machines is plugged in from above, and the model does not know it. Both have the contract of
/// attention() and attention_backward().
struct AttentionOperator {
  std::function<void(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                     TensorView out, const AttentionOptions& options, TensorView lse)>
      forward;
  std::function<void(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                     ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                     TensorView grad_query, TensorView grad_key, TensorView grad_value,
                     const AttentionOptions& options)>
      backward;
};

/// This library's own attention.
AttentionOperator own_attention();

}  // namespace limelight
