#include "faces/notebook/story_notebook.h"

#include <fmt/format.h>

#include <iterator>
#include <set>

#include "faces/matrix_bytes.h"
#include "faces/notebook/notebook_cells.h"
#include "faces/notebook/preamble.h"
#include "faces/notebook/python_text.h"

namespace limelight {
namespace {

constexpr std::int64_t kWholeUpTo = 24;  // tokens: longer matrices are shown by the word's row

using Names = std::set<std::string, std::less<>>;

/// A tensor and all that it was made of.
void add_with_operands(const Trace& trace, const std::string& name, Names& names) {
  if (!names.insert(name).second) return;
  for (const std::string& operand : trace.at(name).recipe.operands) {
    add_with_operands(trace, operand, names);
  }
}

Names told_tensors(const Story& story) {
  Names names;
  for (const Step& step : story.told().steps) {
    for (const StoryBlock& block : step.blocks) {
      if (const auto* table = std::get_if<TensorTable>(&block)) {
        add_with_operands(story.trace, table->tensor, names);
      }
    }
  }
  return names;
}

bool is_made(const TraceTensor& tensor) { return tensor.recipe.operation != Operation::given; }

/// Writes the told steps as cells; remembers which tensors have been computed.
class NotebookWriter {
 public:
  explicit NotebookWriter(const Story& story) : story_(story), names_(told_tensors(story)) {}

  std::string write() && {
    write_heading();
    cells_.code(stored_tensors(), /*folded=*/true);
    cells_.code(kNotebookPreamble);
    for (const Step& step : story_.told().steps) write_step(step);
    cells_.markdown(
        story_.damage
            ? "## What does not agree"
            : "## All of it\n\nWhatever the numbers are: every tensor was computed again, rows of "
              "weights "
              "sum to 1, and what the mask hides has a weight of exactly 0.");
    cells_.code(story_.damage ? kNotebookDamage : kNotebookInvariants);
    return std::move(cells_).finish({{"hash", story_.hash},
                                     {"model", story_.model_name},
                                     {"layer", story_.told().layer},
                                     {"head", story_.told().head}});
  }

 private:
  void write_heading() {
    const Telling& told = story_.told();
    cells_.markdown(fmt::format(
        "# What attention does with “{}”\n\nText: {}\n\nModel {}, layer {}, head {}; hash `{}`.\n\n"
        "The numbers below are those of the run, as the engine left them. Each cell computes a "
        "tensor again, with NumPy, from the tensors before it, and asserts that the run's is the "
        "same. The first two cells hold the run's tensors and what the others call; the story "
        "begins below them.",
        markdown_text(story_.word), markdown_text(story_.text), markdown_text(story_.model_name),
        told.layer, told.head, story_.hash));
    if (story_.damage) {
      const KnownBug& bug = known_bug(story_.damage->bug);
      cells_.markdown(
          fmt::format("**This run is wrong on purpose: `{}`.** {} Cells that compute again what "
                      "the mistake made "
                      "say that it does not agree; the last cell lists them.",
                      bug.name, markdown_text(bug.text)));
    }
  }

  std::string stored_tensors() const {
    std::string source =
        "# The run's tensors: shape, tokens where not all are kept, float32 in base64.\nSTORED = "
        "{\n";
    std::string made = "MADE_FROM_OTHERS = {";
    for (const TraceTensor& tensor : story_.trace.tensors()) {
      if (!names_.contains(tensor.name)) continue;
      const std::string name = python_literal(tensor.name);
      fmt::format_to(
          std::back_inserter(source), "    {}: (({}, {}), {}, \"{}\"),\n", name, tensor.values.rows,
          tensor.values.columns,
          tensor.rows.empty() ? "None" : fmt::format("[{}]", fmt::join(tensor.rows, ", ")),
          base64_of(tensor.values));
      if (is_made(tensor)) made += name + ", ";
    }
    source += "}\n" + made + "}\nTOKENS = [";
    for (const std::string& text : story_.token_texts) source += python_literal(text) + ", ";
    const std::string bug =
        story_.damage ? python_literal(known_bug(story_.damage->bug).name) : std::string("None");
    return source + fmt::format(
                        "]\nWORD = {}  # the token that is looked at\n"
                        "BUG = {}  # the mistake that was made on purpose",
                        story_.token, bug);
  }

  void write_step(const Step& step) {
    cells_.markdown(fmt::format("## {} · {}\n\n*{}*", step.number, markdown_text(step.title),
                                markdown_text(step.question)));
    for (const StoryBlock& block : step.blocks) {
      std::visit([this](const auto& each) { write(each); }, block);
    }
    if (!step.falls_short.empty()) {
      cells_.markdown("**Where this falls short.** " + markdown_text(step.falls_short));
    }
  }

  void write(const Prose& prose) { cells_.markdown(markdown_text(prose.text)); }

  void write(const Formula& formula) {
    std::string text = markdown_text(formula.symbols);
    if (!formula.numbers.empty()) text += "\n\n" + markdown_text(formula.numbers);
    cells_.markdown(text);
  }

  void write(const TensorTable& table) {
    cells_.markdown(markdown_text(table.caption) + ":");
    std::string source;
    make(table.tensor, source);
    const TraceTensor& tensor = story_.trace.at(table.tensor);
    const bool whole = (table.whole || !table.token) && tensor.values.rows <= kWholeUpTo;
    const bool of_tokens = tensor.axes[0] == "token";
    fmt::format_to(std::back_inserter(source), "show({}{}{})", python_literal(table.tensor),
                   !of_tokens                      ? ""
                   : tensor.axes[1] == "key_token" ? ", labels=\"both\""
                                                   : ", labels=\"rows\"",
                   whole || !of_tokens || !table.token || tensor.row_of(*table.token) < 0
                       ? ""
                       : ", token=WORD");
    cells_.code(source);
  }

  void write(const FactTable& table) {
    std::string text = markdown_text(table.caption) + ":\n\n| |";
    for (const std::string& column : table.columns) text += " " + markdown_text(column) + " |";
    text += "\n|---|";
    for (std::size_t i = 0; i < table.columns.size(); ++i) text += "---:|";
    for (const FactTable::Row& row : table.rows) {
      text += "\n| " + markdown_text(row.label) + " |";
      for (const double value : row.values) {
        fmt::format_to(std::back_inserter(text), " {:.7g} |", value);
      }
    }
    cells_.markdown(text);
  }

  void write(const PathPicture& path) {
    FactTable table = {path.id, path.caption, {path.x_axis, path.y_axis}, {}};
    for (const PathPicture::Point& point : path.points) {
      table.rows.push_back({point.label, {point.x, point.y}});
    }
    write(table);
  }

  /// Appends the lines that compute a tensor and what it is made of, unless a cell before did.
  void make(const std::string& name, std::string& source) {
    const TraceTensor& tensor = story_.trace.at(name);
    if (!is_made(tensor) || !made_.insert(name).second) return;
    for (const std::string& operand : tensor.recipe.operands) make(operand, source);
    fmt::format_to(std::back_inserter(source), "agree({},\n      {})\n", python_literal(name),
                   numpy_expression(story_.trace, tensor));
  }

  const Story& story_;
  Names names_;
  Names made_;
  NotebookCells cells_;
};

}  // namespace

std::string story_to_notebook(const Story& story) { return NotebookWriter(story).write(); }

}  // namespace limelight
