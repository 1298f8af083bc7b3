#include "attention/kernels/simd/attention.h"

namespace limelight::simd {
namespace {

/// Absent tensors have the type f32.
bool none_is_f64(std::initializer_list<ConstTensorView> views) {
  for (const ConstTensorView& view : views) {
    if (view.dtype() == DType::f64) return false;
  }
  return true;
}

}  // namespace

bool offers(const ForwardArguments& arguments) {
  return none_is_f64({arguments.query, arguments.out});
}

bool offers(const BackwardArguments& arguments) {
  return none_is_f64({arguments.query, arguments.out});
}

}  // namespace limelight::simd
