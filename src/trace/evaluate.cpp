#include "trace/evaluate.h"

#include <fmt/format.h>
#include <limelight/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/parallel.h"

namespace limelight {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// A recipe at work on one row of its tensor. Rows of operands are found by token.
class RowEvaluator {
 public:
  RowEvaluator(const Trace& trace, const TraceTensor& tensor) : tensor_(tensor) {
    for (const std::string& name : tensor.recipe.operands) operands_.push_back(&trace.at(name));
    check_operands();
  }

  /// About how many operations a cell takes.
  std::int64_t terms() const {
    const Operation operation = tensor_.recipe.operation;
    const bool product = operation == Operation::linear || operation == Operation::dot_rows;
    return product ? values(0).columns : std::ssize(operands_);
  }

  void evaluate(std::int64_t row, std::span<double> out) const {
    const std::int64_t token = tensor_.token_of(row);
    switch (tensor_.recipe.operation) {
      case Operation::given:
        return;
      case Operation::add:
        return add(token, out);
      case Operation::layer_norm:
        return layer_norm(row_of(0, token), out);
      case Operation::linear:
        return linear(row_of(0, token), out);
      case Operation::dot_rows:
        return dot_rows(row_of(0, token), out);
      case Operation::scale:
        return each(token, out, [&](double x) { return x * tensor_.recipe.factor; });
      case Operation::causal_mask:
        each(token, out, [](double x) { return x; });
        std::fill(out.begin() + token + 1, out.end(), kMinusInfinity);
        return;
      case Operation::share_of_sum:
        return share_of_sum(token, out);
      case Operation::softmax:
        return softmax(token, out);
      case Operation::gelu_tanh:
        return each(token, out, [](double x) {
          const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
          return x * (1 + std::tanh(inner)) / 2;
        });
      case Operation::gelu_exact:
        return each(token, out,
                    [](double x) { return x * std::erfc(-x / std::numbers::sqrt2) / 2; });
      case Operation::join:
        return join(token, out);
    }
  }

 private:
  MatrixView values(std::size_t operand) const { return operands_[operand]->values; }
  std::span<const float> row_of(std::size_t operand, std::int64_t token) const {
    return values(operand).row(operands_[operand]->row_of(token));
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(fmt::format("recipe of {}: {}", tensor_.name, why));
  }

  void expect(std::size_t operand, std::int64_t rows, std::int64_t columns) const {
    const MatrixView found = values(operand);
    if (found.rows == rows && found.columns == columns) return;
    refuse(fmt::format("expected {} to be [{}, {}], got [{}, {}]", operands_[operand]->name, rows,
                       columns, found.rows, found.columns));
  }

  void expect_operands(std::size_t least, std::size_t most) const {
    if (operands_.size() >= least && operands_.size() <= most) return;
    refuse(fmt::format("expected {} to {} operands of {}, got {}", least, most,
                       name_of(tensor_.recipe.operation), operands_.size()));
  }

  /// Every row that will be read is there, and every extent fits.
  void check_operands() const {
    const std::int64_t columns = tensor_.values.columns;
    constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
    switch (tensor_.recipe.operation) {
      case Operation::given:
        refuse("expected an operation, got given");
      case Operation::layer_norm:
        expect_operands(2, 3);
        for (std::size_t i = 1; i < operands_.size(); ++i) expect(i, 1, columns);
        expect_rows(0, columns);
        return;
      case Operation::linear:
        expect_operands(2, 3);
        expect(1, values(0).columns, columns);
        if (operands_.size() == 3) expect(2, 1, columns);
        expect_rows(0, values(1).rows);
        return;
      case Operation::dot_rows:
        expect_operands(2, 2);
        expect(1, columns, values(0).columns);
        expect_rows(0, values(0).columns);
        return;
      case Operation::add:
        expect_operands(1, kAny);
        for (std::size_t i = 0; i < operands_.size(); ++i) {
          if (!is_one_row(i)) expect_rows(i, columns);
        }
        return;
      case Operation::join: {
        expect_operands(1, kAny);
        std::int64_t joined = 0;
        for (std::size_t i = 0; i < operands_.size(); ++i) {
          expect_rows(i, values(i).columns);
          joined += values(i).columns;
        }
        if (joined != columns) refuse(fmt::format("expected {} columns, got {}", columns, joined));
        return;
      }
      default:
        expect_operands(1, 1);
        expect_rows(0, columns);
    }
  }

  void expect_rows(std::size_t operand, std::int64_t columns) const {
    for (std::int64_t r = 0; r < tensor_.values.rows; ++r) {
      const std::int64_t row = operands_[operand]->row_of(tensor_.token_of(r));
      if (row >= 0 && row < values(operand).rows) continue;
      refuse(fmt::format("expected {} to keep token {}", operands_[operand]->name,
                         tensor_.token_of(r)));
    }
    if (values(operand).columns != columns) expect(operand, values(operand).rows, columns);
  }

  /// A bias of an addition: one row, for every token.
  bool is_one_row(std::size_t operand) const {
    return operands_[operand]->axes[0] == "row" && values(operand).rows == 1 &&
           values(operand).columns == tensor_.values.columns;
  }

  template <class Function>
  void each(std::int64_t token, std::span<double> out, const Function& function) const {
    std::ranges::transform(row_of(0, token), out.begin(),
                           [&](float x) { return function(static_cast<double>(x)); });
  }

  void add(std::int64_t token, std::span<double> out) const {
    std::ranges::fill(out, 0.0);
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const auto x = is_one_row(i) ? values(i).row(0) : row_of(i, token);
      for (std::size_t c = 0; c < out.size(); ++c) out[c] += static_cast<double>(x[c]);
    }
  }

  void layer_norm(std::span<const float> x, std::span<double> out) const {
    const auto width = static_cast<double>(x.size());
    double mean = 0;
    for (const float value : x) mean += value / width;
    double variance = 0;
    for (const float value : x) variance += (value - mean) * (value - mean) / width;
    const double inverse = 1 / std::sqrt(variance + tensor_.recipe.factor);
    const auto gain = values(1).row(0);
    for (std::size_t c = 0; c < out.size(); ++c) {
      out[c] = (static_cast<double>(x[c]) - mean) * inverse * static_cast<double>(gain[c]);
      if (operands_.size() == 3) out[c] += static_cast<double>(values(2).row(0)[c]);
    }
  }

  void linear(std::span<const float> x, std::span<double> out) const {
    std::ranges::fill(out, 0.0);
    if (operands_.size() == 3) std::ranges::copy(values(2).row(0), out.begin());
    for (std::size_t k = 0; k < x.size(); ++k) {
      // A hidden key adds nothing, also when its value is no number.
      if (x[k] == 0) continue;
      const double factor = x[k];
      const float* y = values(1).row(static_cast<std::int64_t>(k)).data();
      for (std::size_t c = 0; c < out.size(); ++c) out[c] += factor * static_cast<double>(y[c]);
    }
  }

  void dot_rows(std::span<const float> x, std::span<double> out) const {
    for (std::size_t j = 0; j < out.size(); ++j) {
      const auto y = values(1).row(static_cast<std::int64_t>(j));
      double sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) sum += static_cast<double>(x[k]) * y[k];
      out[j] = sum;
    }
  }

  void share_of_sum(std::int64_t token, std::span<double> out) const {
    each(token, out, [](double x) { return x; });
    double sum = 0;
    for (const double x : out) sum += x;
    for (double& x : out) x /= sum;
  }

  void softmax(std::int64_t token, std::span<double> out) const {
    each(token, out, [](double x) { return x; });
    const double maximum = *std::ranges::max_element(out);
    double sum = 0;
    for (double& x : out) sum += x = std::exp(x - maximum);
    for (double& x : out) x /= sum;
  }

  void join(std::int64_t token, std::span<double> out) const {
    auto place = out.begin();
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      place = std::ranges::copy(row_of(i, token), place).out;
    }
  }

  const TraceTensor& tensor_;
  std::vector<const TraceTensor*> operands_;
};

}  // namespace

Matrix64 evaluate(const Trace& trace, const TraceTensor& tensor) {
  const RowEvaluator evaluator(trace, tensor);
  Matrix64 out(tensor.values.rows, tensor.values.columns);
  const auto evaluate_row = [&](std::int64_t row) { evaluator.evaluate(row, out.row(row)); };
  // Waking threads for less than this takes longer than the work.
  constexpr std::int64_t kWorthSharing = 1 << 16;
  if (out.rows * out.columns * evaluator.terms() >= kWorthSharing) {
    parallel_for(out.rows, evaluate_row);
  } else {
    for (std::int64_t row = 0; row < out.rows; ++row) evaluate_row(row);
  }
  return out;
}

}  // namespace limelight
