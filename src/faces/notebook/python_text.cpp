#include "faces/notebook/python_text.h"

#include <fmt/format.h>

#include <iterator>

#include "base/utf8.h"

namespace limelight {
namespace {

/// An operand, with the rows of the tensor that is made of it.
class Operands {
 public:
  Operands(const Trace& trace, const TraceTensor& tensor) : trace_(trace), tensor_(tensor) {}

  std::string whole(std::size_t index) const { return fmt::format("t[{}]", literal(index)); }

  std::string rows(std::size_t index) const {
    const TraceTensor& operand = trace_.at(name(index));
    if (operand.rows == tensor_.rows) return whole(index);
    return fmt::format("rows_of({}, like={})", literal(index), python_literal(tensor_.name));
  }

  /// The operands of an addition: one row is for every token.
  std::string row_or_rows(std::size_t index) const {
    const TraceTensor& operand = trace_.at(name(index));
    return operand.axes[0] == "row" && operand.values.rows == 1 ? whole(index) : rows(index);
  }

  std::size_t count() const { return tensor_.recipe.operands.size(); }

 private:
  const std::string& name(std::size_t index) const { return tensor_.recipe.operands[index]; }
  std::string literal(std::size_t index) const { return python_literal(name(index)); }

  const Trace& trace_;
  const TraceTensor& tensor_;
};

std::string sum_of(const Operands& operands) {
  std::string text;
  for (std::size_t i = 0; i < operands.count(); ++i) {
    text += (i == 0 ? "" : " + ") + operands.row_or_rows(i);
  }
  return text;
}

std::string joined(const Operands& operands) {
  std::string text = "np.concatenate([";
  for (std::size_t i = 0; i < operands.count(); ++i) {
    text += (i == 0 ? "" : ", ") + operands.rows(i);
  }
  return text + "], axis=1)";
}

/// " + t[bias]", where the recipe has a third operand.
std::string plus_bias(const Operands& operands) {
  return operands.count() == 3 ? " + " + operands.whole(2) : "";
}

}  // namespace

std::string python_literal(std::string_view text) {
  std::string out;
  bool ascii = true;
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      ascii = false;
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  // In a text \x is a character, in bytes a byte.
  return ascii ? "'" + out + "'" : "b'" + out + "'.decode('utf-8', 'replace')";
}

std::string markdown_text(std::string_view text) {
  static constexpr std::string_view kMarkup = "\\`*_{}[]#|~!^";
  std::string out;
  for (const char c : printable_cell(text)) {
    if (c == '<' || c == '>' || c == '&' || c == '$') {
      fmt::format_to(std::back_inserter(out), "&#{};", static_cast<int>(c));
    } else {
      if (kMarkup.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string numpy_expression(const Trace& trace, const TraceTensor& tensor) {
  const Operands operands(trace, tensor);
  const double factor = tensor.recipe.factor;
  switch (tensor.recipe.operation) {
    case Operation::given:
      break;
    case Operation::add:
      return sum_of(operands);
    case Operation::layer_norm:
      return fmt::format("standardise({}, epsilon={}) * {}{}", operands.rows(0), factor,
                         operands.whole(1), plus_bias(operands));
    case Operation::linear:
      return operands.rows(0) + " @ " + operands.whole(1) + plus_bias(operands);
    case Operation::dot_rows:
      return operands.rows(0) + " @ " + operands.whole(1) + ".T";
    case Operation::scale:
      return fmt::format("{} * {}", operands.rows(0), factor);
    case Operation::causal_mask:
      return fmt::format("hide_the_future({}, tokens_of[{}])", operands.rows(0),
                         python_literal(tensor.name));
    case Operation::share_of_sum:
      return fmt::format("{0} / {0}.sum(axis=1, keepdims=True)", operands.rows(0));
    case Operation::softmax:
      return fmt::format("softmax({})", operands.rows(0));
    case Operation::gelu_tanh:
      return fmt::format("gelu_tanh({})", operands.rows(0));
    case Operation::gelu_exact:
      return fmt::format("gelu_exact({})", operands.rows(0));
    case Operation::join:
      return joined(operands);
  }
  throw Error(tensor.name + ": expected a tensor that was made from others, got a given one");
}

}  // namespace limelight
