#include "faces/page_tensors.h"

#include <set>

namespace limelight {
namespace {

using Names = std::set<std::string>;

/// Of longer texts, what is shown as one row is kept as one row, in the first telling too: 8 MiB do
/// not hold more.
constexpr std::int64_t kMostTokensAllRows = 64;

/// A parameter, or the large table behind the logits.
bool is_parameter(const TraceTensor& tensor) { return tensor.storage == nullptr; }

struct Shown {
  Names names;
  Names whole;  ///< those shown with all rows
};

Shown shown_by(const Telling& telling) {
  Shown shown;
  for (const Step& step : telling.steps) {
    for (const StoryBlock& block : step.blocks) {
      const auto* table = std::get_if<TensorTable>(&block);
      if (table == nullptr) continue;
      shown.names.insert(table->tensor);
      if (table->whole || !table->token) shown.whole.insert(table->tensor);
    }
  }
  return shown;
}

Names with_operands(const Story& story, const Names& names) {
  Names all = names;
  for (const std::string& name : names) {
    const auto& operands = story.trace.at(name).recipe.operands;
    all.insert(operands.begin(), operands.end());
  }
  return all;
}

/// Whether a cell is made of rows of that operand other than its own.
bool mixes_rows_of(const Recipe& recipe, std::size_t operand) {
  return operand > 0 &&
         (recipe.operation == Operation::linear || recipe.operation == Operation::dot_rows);
}

}  // namespace

std::map<std::string, PageRows> page_tensors(const Story& story) {
  const Names first = with_operands(story, shown_by(story.told()).names);
  Names shown;
  Names whole = std::ssize(story.ids) <= kMostTokensAllRows ? first : Names();
  for (const Telling& telling : story.tellings) {
    const Shown by = shown_by(telling);
    shown.insert(by.names.begin(), by.names.end());
    whole.insert(by.whole.begin(), by.whole.end());
  }
  const Names held = with_operands(story, shown);

  std::map<std::string, PageRows> pages;
  // Operands precede what is made of them: backwards, whether a result is whole is known first.
  const auto& tensors = story.trace.tensors();
  for (auto place = tensors.rbegin(); place != tensors.rend(); ++place) {
    const TraceTensor& tensor = *place;
    if (!held.contains(tensor.name)) continue;
    if (is_parameter(tensor) && !first.contains(tensor.name)) continue;
    const bool has_row = tensor.axes[0] == "token" && tensor.row_of(story.token) >= 0;
    const bool is_whole = whole.contains(tensor.name) || !has_row;
    pages[tensor.name] = is_whole ? PageRows::all : PageRows::word;
    if (!shown.contains(tensor.name)) continue;
    const auto& operands = tensor.recipe.operands;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (is_whole || mixes_rows_of(tensor.recipe, i)) whole.insert(operands[i]);
    }
  }
  return pages;
}

}  // namespace limelight
