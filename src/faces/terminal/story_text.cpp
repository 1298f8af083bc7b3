#include "faces/terminal/story_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "faces/terminal/fact_table.h"
#include "faces/terminal/heat_matrix.h"
#include "story/narrator.h"

namespace limelight {
namespace {

constexpr int kNumberColumn = 9;
constexpr int kMostLabel = 24;
constexpr std::int64_t kMostListed = 24;   // tokens of a row
constexpr std::int64_t kMostNumbers = 64;  // of a vector that is shown whole
constexpr int kMostFactLabel = 44;

/// A story on its way to lines.
class StoryWriter {
 public:
  StoryWriter(const Story& story, const TerminalStyle& style) : story_(story), style_(style) {
    for (const std::string& text : story.token_texts) labels_.push_back(readable_token(text));
    for (const std::string& label : labels_) {
      label_width_ = std::max(label_width_, std::min(display_width(label), kMostLabel));
    }
    label_width_ = std::min(label_width_, style.width / 3);
  }

  void introduction() {
    line(style_.bold(wrapped(printable_cell(story_.text), style_.width)));
    line();
    const Telling& told = story_.told();
    std::string text =
        fmt::format("Looking at “{}” (token {})", printable_cell(story_.word), story_.token);
    if (!story_.word_reason.empty()) text += ", " + story_.word_reason;
    text += fmt::format("; layer {}, head {}", told.layer, told.head);
    text += told.reason.empty() ? "." : ", " + told.reason + ".";
    paragraph(text);
    if (story_.damage) warning(known_bug(story_.damage->bug));
  }

  void step(const Step& step) {
    heading(step);
    for (const StoryBlock& block : step.blocks) {
      std::visit([this](const auto& each) { write(each); }, block);
    }
    if (!step.falls_short.empty()) {
      line();
      paragraph("→ " + step.falls_short, 2);
    }
  }

  void brief(const Step& step) {
    if (step.id == "wrong") return this->step(step);
    heading(step);
    const auto formula = std::ranges::find_if(step.blocks, [](const StoryBlock& block) {
      return std::holds_alternative<Formula>(block);
    });
    if (formula != step.blocks.end()) write(std::get<Formula>(*formula));
    for (const StoryBlock& block : step.blocks) {
      const auto* table = std::get_if<TensorTable>(&block);
      if (table != nullptr && step.id == "mask" && table->cells == CellKind::weights) {
        row_of_tokens(*table);
      }
    }
    if (step.number == 12) closing(step);
    if (!step.falls_short.empty()) paragraph("→ " + step.falls_short, 2);
  }

  void footer() {
    line();
    line(style_.dim(fmt::format("story {}", story_.hash)));
  }

  std::string text() { return std::move(out_); }

 private:
  void line(const std::string& text = "") { out_ += text + "\n"; }
  void paragraph(const std::string& text, int indent = 0) {
    line(wrapped(text, style_.width, indent));
  }

  void warning(const KnownBug& bug) {
    line();
    paragraph(style_.bold("This run is wrong on purpose: ") + std::string(bug.name) + ". " +
              std::string(bug.text) +
              " The steps tell what it computed, also where they say what a right run does; the "
              "last one says what breaks.");
  }

  /// A remark under a table.
  void note(const std::string& text) {
    line("  " + style_.dim(wrapped(text, style_.width - 2, 2)));
  }

  void heading(const Step& step) {
    line();
    const std::string title = fmt::format("{}  {}", step.number, step.title);
    const int gap = style_.width - display_width(title) - display_width(step.question);
    if (gap >= 2) {
      line(style_.bold(title) + std::string(static_cast<std::size_t>(gap), ' ') +
           style_.dim(step.question));
    } else {
      line(style_.bold(wrapped(title, style_.width)));
      line(style_.dim(wrapped(step.question, style_.width)));
    }
  }

  void write(const Prose& prose) {
    line();
    paragraph(prose.text);
  }

  void write(const Formula& formula) {
    line();
    line("    " + wrapped(formula.symbols, style_.width - 4, 6));
    line("    " + wrapped(formula.numbers, style_.width - 4, 6));
  }

  void caption(const std::string& text, const std::string& tensor = "") {
    line();
    const TensorProof* proof = story_.proof.find(tensor);
    const std::string proven =
        proof ? fmt::format("float64 differs by {:.1e}", proof->largest_difference) : "";
    const int gap = style_.width - 2 - display_width(text) - display_width(proven);
    if (proof != nullptr && gap >= 2) {
      line("  " + text + std::string(static_cast<std::size_t>(gap), ' ') + style_.dim(proven));
      return;
    }
    line("  " + wrapped(text, style_.width - 2, 2));
    if (proof != nullptr) line("  " + style_.dim(proven));
  }

  void write(const TensorTable& table) {
    const TraceTensor& tensor = story_.trace.at(table.tensor);
    caption(table.caption, table.tensor);
    if (tensor.axes[1] != "key_token") return vector(tensor);
    if (table.whole && tensor.values.rows > 1) {
      out_ += heat_matrix(tensor.values, table.cells, labels_, story_.token, style_);
      return;
    }
    row_of_tokens(table);
  }

  /// The word's row of a tensor of vectors.
  void vector(const TraceTensor& tensor) {
    const auto row = tensor.values.row(std::max<std::int64_t>(0, tensor.row_of(story_.token)));
    const auto fit = static_cast<std::size_t>(std::max(1, (style_.width - 2) / kNumberColumn));
    const std::size_t shown = std::ssize(row) <= kMostNumbers ? row.size() : fit;
    for (std::size_t i = 0; i < shown; i += fit) {
      std::string text = "  ";
      for (std::size_t j = i; j < std::min(i + fit, shown); ++j) {
        text += pad_left(cell_text(row[j]), kNumberColumn);
      }
      line(text);
    }
    if (shown < row.size()) {
      note(fmt::format("the first {} of {} numbers", shown, row.size()));
    }
  }

  /// One cell for each token, under each other: of a long text those with the largest.
  void row_of_tokens(const TensorTable& table) {
    const TraceTensor& tensor = story_.trace.at(table.tensor);
    const auto row = tensor.values.row(tensor.row_of(table.token.value_or(story_.token)));
    std::vector<std::int64_t> listed(row.size());
    for (std::size_t j = 0; j < row.size(); ++j) listed[j] = static_cast<std::int64_t>(j);
    if (std::ssize(row) > kMostListed) {
      std::ranges::stable_sort(listed, std::greater<>(),
                               [&](std::int64_t j) { return row[static_cast<std::size_t>(j)]; });
      listed.resize(kMostListed);
      std::ranges::sort(listed);
    }
    for (const std::int64_t j : listed)
      token_line(table.cells, j, row[static_cast<std::size_t>(j)]);
    if (std::ssize(row) > kMostListed) {
      note(
          fmt::format("the {} largest of {}; all of them: --format json", kMostListed, row.size()));
    }
  }

  void token_line(CellKind cells, std::int64_t token, float value) {
    const std::string label = pad_right(
        printable_cell(labels_[static_cast<std::size_t>(token)], label_width_), label_width_);
    const bool hidden =
        cells == CellKind::weights ? token > story_.token && value == 0 : std::isinf(value);
    const std::string shown =
        hidden ? "masked"
               : with_minus(fmt::format("{:.{}f}", value, cells == CellKind::weights ? 6 : 4));
    std::string text = fmt::format("  {} {}", label, pad_left(shown, kNumberColumn + 2));
    if (hidden) return line(style_.dim(text));
    if (cells == CellKind::weights) text += " " + bar(value);
    line(token == story_.token ? style_.bold(text) : text);
  }

  std::string bar(double share) const {
    const int room = std::clamp(style_.width - label_width_ - kNumberColumn - 8, 0, 30);
    std::string text;
    for (int i = 0; i < std::lround(share * room); ++i) text += "█";
    return text;
  }

  void write(const FactTable& table) {
    if (table.rows.empty()) return;
    caption(table.caption);
    if (table.id == "tokens") return tokens(table);
    out_ += fact_table(table, style_);
  }

  void tokens(const FactTable& table) {
    std::string row;
    int used = 0;
    for (std::size_t t = 0; t < table.rows.size(); ++t) {
      const std::string entry =
          fmt::format("{} {:.0f}", table.rows[t].label, table.rows[t].values.front());
      const int width = display_width(entry) + 3;
      if (used > 0 && used + width > style_.width - 2) {
        line("  " + row);
        row.clear();
        used = 0;
      }
      const auto token = static_cast<std::int64_t>(t);
      const bool in_word = token >= story_.first_token && token <= story_.token;
      row += (used ? " · " : "") + (in_word ? style_.bold(entry) : entry);
      used += width;
    }
    line("  " + row);
  }

  void write(const PathPicture& path) {
    caption(path.caption);
    int label = 4;
    for (const PathPicture::Point& point : path.points) {
      label = std::max(label, std::min(display_width(point.label), kMostFactLabel));
    }
    label = std::min(label, style_.width - 2 * kNumberColumn - 4);
    for (const PathPicture::Point& point : path.points) {
      line(fmt::format("  {} {}{}", pad_right(printable_cell(point.label, label), label),
                       pad_left(with_minus(fmt::format("{:.4f}", point.x)), kNumberColumn),
                       pad_left(with_minus(fmt::format("{:.4f}", point.y)), kNumberColumn)));
    }
    note(fmt::format("in a plane: {}, and {}; it holds {} of the squared length of the steps",
                     path.x_axis, path.y_axis, percent(path.share)));
  }

  /// The last step in brief: what was proven, and what comes next.
  void closing(const Step& step) {
    for (const InvariantProof& invariant : story_.proof.invariants) {
      if (invariant.holds) continue;
      paragraph(fmt::format("VIOLATED: {} ({}).", invariant.invariant, invariant.measured), 2);
    }
    if (story_.proof.holds()) {
      paragraph(fmt::format("All {} invariants hold; {} tensors were computed again in float64.",
                            story_.proof.invariants.size(), story_.proof.tensors.size()),
                2);
    }
    write(std::get<FactTable>(step.blocks.back()));
  }

  const Story& story_;
  const TerminalStyle& style_;
  std::vector<std::string> labels_;
  int label_width_ = 4;
  std::string out_;
};

}  // namespace

std::string story_to_text(const Story& story, const StoryTextOptions& options,
                          const TerminalStyle& style) {
  StoryWriter writer(story, style);
  writer.introduction();
  for (const Step& step : story.told().steps) {
    if (options.step && *options.step != step.number) continue;
    if (options.brief) {
      writer.brief(step);
    } else {
      writer.step(step);
    }
  }
  writer.footer();
  return writer.text();
}

}  // namespace limelight
