#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

/// What is done to the operands; x, y, ... are the operands in order. Operands of a row-wise
/// operation are matched by token, so a tensor that keeps a few rows is made from those rows alone.
enum class Operation : std::uint8_t {
  given,         ///< nothing: a parameter of the model, a row of its tables, an input
  add,           ///< x + y + ...; an operand with one row is added to every row
  layer_norm,    ///< (x - mean) / sqrt(variance + factor) * y (+ z), row by row
  linear,        ///< x y (+ z): cell (i, c) = sum over k of x(i, k) * y(k, c)
  dot_rows,      ///< x yT: cell (i, j) = row i of x . row j of y
  scale,         ///< x * factor
  causal_mask,   ///< x where key <= query, -infinity elsewhere
  share_of_sum,  ///< x / sum of its row
  softmax,       ///< exp(x) / sum of exp(x) over its row; exp(-infinity) = 0
  gelu_tanh,     ///< x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
  gelu_exact,    ///< x (1 + erf(x / sqrt 2)) / 2
  join,          ///< the operands' columns beside each other
};

/// How the cells of a tensor are made from other tensors of the same trace: one line of
/// mathematics. The proof evaluates it in float64, the page opens a cell into its terms, the
/// notebook does it again in NumPy.
struct Recipe {
  Operation operation = Operation::given;
  std::vector<std::string> operands;  ///< names of tensors of the trace
  double factor = 1;                  ///< of scale; epsilon of layer_norm
};

/// "linear", "dot_rows", ...; and back, nothing for another name.
std::string_view name_of(Operation operation);
std::optional<Operation> operation_named(std::string_view name);

}  // namespace limelight
