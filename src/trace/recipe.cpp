#include "trace/recipe.h"

namespace limelight {

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::given:
      return "given";
    case Operation::add:
      return "add";
    case Operation::layer_norm:
      return "layer_norm";
    case Operation::linear:
      return "linear";
    case Operation::dot_rows:
      return "dot_rows";
    case Operation::scale:
      return "scale";
    case Operation::causal_mask:
      return "causal_mask";
    case Operation::share_of_sum:
      return "share_of_sum";
    case Operation::softmax:
      return "softmax";
    case Operation::gelu_tanh:
      return "gelu_tanh";
    case Operation::gelu_exact:
      return "gelu_exact";
    case Operation::join:
      return "join";
  }
  return "given";
}

std::optional<Operation> operation_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Operation::join); ++i) {
    const auto operation = static_cast<Operation>(i);
    if (name_of(operation) == name) return operation;
  }
  return std::nullopt;
}

}  // namespace limelight
