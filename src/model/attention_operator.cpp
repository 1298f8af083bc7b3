#include "model/attention_operator.h"

namespace limelight {

AttentionOperator own_attention() {
  return {
      .forward = [](ConstTensorView query, ConstTensorView key, ConstTensorView value,
                    TensorView out, const AttentionOptions& options,
                    TensorView lse) { attention(query, key, value, out, options, lse); },
      .backward =
          [](ConstTensorView query, ConstTensorView key, ConstTensorView value, ConstTensorView out,
             ConstTensorView lse, ConstTensorView grad_out, TensorView grad_query,
             TensorView grad_key, TensorView grad_value, const AttentionOptions& options) {
            attention_backward(query, key, value, out, lse, grad_out, grad_query, grad_key,
                               grad_value, options);
          },
  };
}

}  // namespace limelight
