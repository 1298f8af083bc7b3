#include "layers/linear.h"

#include "layers/gemm.h"
#include "layers/row_sums.h"

namespace limelight {
namespace {

GemmOperand weight_operand(const LinearShape& shape, const float* weight, bool transposed) {
  const std::int64_t stride = shape.weight_transposed ? shape.in_width : shape.out_width;
  return {weight, stride, shape.weight_transposed != transposed};
}

}  // namespace

void linear_forward(const LinearShape& shape, const float* x, const float* weight,
                    const float* bias, float* out) {
  if (bias) fill_rows(shape.rows, shape.out_width, bias, out);
  gemm(shape.rows, shape.out_width, shape.in_width, {x, shape.in_width},
       weight_operand(shape, weight, false), /*accumulate=*/bias != nullptr, out, shape.out_width);
}

void linear_backward(const LinearShape& shape, const float* x, const float* weight,
                     const float* grad_out, float* grad_x, float* grad_weight, float* grad_bias) {
  // out = x * weight, so grad_x = grad_out * weight^T and grad_weight = x^T * grad_out.
  if (grad_x) {
    gemm(shape.rows, shape.in_width, shape.out_width, {grad_out, shape.out_width},
         weight_operand(shape, weight, true), false, grad_x, shape.in_width);
  }
  if (grad_weight) {
    const GemmOperand x_transposed = {x, shape.in_width, true};
    const GemmOperand grad_transposed = {grad_out, shape.out_width, true};
    if (shape.weight_transposed) {
      gemm(shape.out_width, shape.in_width, shape.rows, grad_transposed, {x, shape.in_width}, true,
           grad_weight, shape.in_width);
    } else {
      gemm(shape.in_width, shape.out_width, shape.rows, x_transposed, {grad_out, shape.out_width},
           true, grad_weight, shape.out_width);
    }
  }
  if (grad_bias) add_row_sums(shape.rows, shape.out_width, grad_out, grad_bias);
}

}  // namespace limelight
