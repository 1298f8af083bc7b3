#include <limelight/attention.h>

#include "attention/attention_shape.h"
#include "attention/kernels/reference/reference_attention.h"
#include "attention/kernels/simd/simd_attention.h"

namespace limelight {

void attention(ConstTensorView query, ConstTensorView key, ConstTensorView value, TensorView out,
               const AttentionOptions& options, TensorView lse) {
  const AttentionShape shape = check_attention(query, key, value, out, lse, options);
  if (query.dtype() == DType::f64) {
    reference_forward(shape, query, key, value, out, lse);
  } else {
    simd_forward(shape, query, key, value, out, lse);
  }
}

void attention_backward(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                        ConstTensorView out, ConstTensorView lse, ConstTensorView grad_out,
                        TensorView grad_query, TensorView grad_key, TensorView grad_value,
                        const AttentionOptions& options) {
  const AttentionShape s = check_attention(query, key, value, out, lse, options);
  const DType dtype = query.dtype();
  check_view("lse", lse, dtype, {s.batch, s.num_heads, s.q_len});
  check_view("grad_out", grad_out, dtype, {s.batch, s.num_heads, s.q_len, s.value_dim});
  check_view("grad_query", grad_query, dtype, {s.batch, s.num_heads, s.q_len, s.head_dim});
  check_view("grad_key", grad_key, dtype, {s.batch, s.num_kv_heads, s.kv_len, s.head_dim});
  check_view("grad_value", grad_value, dtype, {s.batch, s.num_kv_heads, s.kv_len, s.value_dim});
  if (dtype == DType::f64) {
    reference_backward(s, query, key, value, grad_out, grad_query, grad_key, grad_value);
  } else {
    simd_backward(s, query, key, value, out, lse, grad_out, grad_query, grad_key, grad_value);
  }
}

}  // namespace limelight
