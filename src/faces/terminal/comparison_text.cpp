#include "faces/terminal/comparison_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "faces/terminal/fact_table.h"
#include "faces/terminal/plane_plot.h"
#include "story/narrator.h"

namespace limelight {
namespace {

constexpr std::size_t kMostPairs = 15;          // of six texts
constexpr std::size_t kMostContributions = 12;  // tokens of one text
constexpr int kMostTokenLabel = 20;

class ComparisonWriter {
 public:
  ComparisonWriter(const Comparison& comparison, const TerminalStyle& style)
      : comparison_(comparison), style_(style) {}

  std::string write() {
    introduction();
    heading("Where it begins");
    paragraph(comparison_.begins);
    looked_at();
    how_alike();
    nearest();
    plane();
    proof();
    line();
    line(style_.dim(wrapped("comparison " + comparison_.hash, style_.width)));
    return std::move(out_);
  }

 private:
  void line(const std::string& text = "") { out_ += text + "\n"; }
  void paragraph(const std::string& text, int indent = 0) {
    line(wrapped(text, style_.width, indent));
  }
  /// Text beside its name, its later lines under its first.
  void hanging(const std::string& name, const std::string& text) {
    const int indent = display_width(name);
    std::string lines = wrapped(text, style_.width - indent);
    for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; ++at) {
      lines.insert(at + 1, static_cast<std::size_t>(indent), ' ');
    }
    line(name + lines);
  }
  void heading(const std::string& title) {
    line();
    line(style_.bold(wrapped(title, style_.width)));
    line();
  }
  std::string word() const { return "“" + printable_cell(comparison_.word) + "”"; }

  void introduction() {
    std::string text = fmt::format("{} in {} texts", word(), comparison_.texts.size());
    if (!comparison_.word_reason.empty()) text += ", " + comparison_.word_reason;
    line(style_.bold(wrapped(text, style_.width)));
    line();
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) {
      hanging(text_letter(i) + "  ", printable_cell(comparison_.texts[i].text));
    }
  }

  void looked_at() {
    heading(
        fmt::format("What it looked at: layer {}, head {}", comparison_.layer, comparison_.head));
    std::string text =
        "How much of each word it took, how long is what that word alone wrote into its stream, "
        "and its part of all that the head wrote, along it.";
    if (!comparison_.reason.empty()) text = "The head was " + comparison_.reason + ". " + text;
    paragraph(text);
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) contributions(i);
  }

  void contributions(std::size_t index) {
    const ComparedText& text = comparison_.texts[index];
    std::vector<WordContribution> shown = text.contributions;
    if (shown.size() > kMostContributions) {
      std::ranges::stable_sort(shown, std::greater{}, &WordContribution::weight);
      shown.resize(kMostContributions);
      std::ranges::sort(shown, {}, &WordContribution::token);
    }
    FactTable table = {"", "", {"weight", "length written", "part of all"}, {}};
    for (const WordContribution& from : shown) {
      const std::string token =
          readable_token(text.token_texts[static_cast<std::size_t>(from.token)]);
      table.rows.push_back(
          {printable_cell(token, kMostTokenLabel), {from.weight, from.write_length, from.share}});
    }
    line();
    hanging("  " + text_letter(index) + "  ",
            fmt::format("in effect it attends to {:.2f} of {} words", text.effective_words,
                        text.token + 1));
    out_ += fact_table(table, style_);
    if (shown.size() < text.contributions.size()) {
      line("  " + style_.dim(wrapped(fmt::format("the {} largest of {}; all of them: --format json",
                                                 shown.size(), text.contributions.size()),
                                     style_.width - 2, 2)));
    }
  }

  /// Few texts: every pair on its way through the layers. Many: the last layer's matrix.
  void how_alike() {
    heading("How alike: the cosine between its vectors");
    const std::size_t count = comparison_.texts.size();
    if (count * (count - 1) / 2 <= kMostPairs) {
      pairs();
    } else {
      last_matrix();
    }
    line();
    paragraph(comparison_.ends);
  }

  double cosine(std::int64_t depth, std::size_t i, std::size_t j) const {
    return comparison_.cosines[static_cast<std::size_t>(depth)].at(static_cast<std::int64_t>(i),
                                                                   static_cast<std::int64_t>(j));
  }

  void pairs() {
    FactTable table = {"", "", {}, {}};
    for (std::int64_t depth = 0; depth < comparison_.depths(); ++depth) {
      table.columns.push_back(depth_name(depth));
    }
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) {
      for (std::size_t j = i + 1; j < comparison_.texts.size(); ++j) {
        FactTable::Row row = {text_letter(i) + " and " + text_letter(j), {}};
        for (std::int64_t depth = 0; depth < comparison_.depths(); ++depth) {
          row.values.push_back(cosine(depth, i, j));
        }
        table.rows.push_back(std::move(row));
      }
    }
    std::ranges::stable_sort(table.rows, std::greater{},
                             [](const FactTable::Row& row) { return row.values.back(); });
    out_ += fact_table(table, style_);
  }

  void last_matrix() {
    FactTable table = {"", "", {}, {}};
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) {
      table.columns.push_back(text_letter(i));
      FactTable::Row row = {text_letter(i), {}};
      for (std::size_t j = 0; j < comparison_.texts.size(); ++j) {
        row.values.push_back(cosine(comparison_.depths() - 1, i, j));
      }
      table.rows.push_back(std::move(row));
    }
    out_ += fact_table(table, style_);
    line("  " + style_.dim(wrapped("after the last layer; the others: --format json",
                                   style_.width - 2, 2)));
  }

  static std::string in_words(const std::vector<NearWord>& words) {
    std::string text;
    for (const NearWord& near : words) {
      text += fmt::format("{}“{}” {}", text.empty() ? "" : ", ", readable_token(near.text),
                          with_minus(fmt::format("{:.2f}", near.cosine)));
    }
    return text;
  }

  void nearest() {
    heading("Nearest words");
    paragraph(fmt::format(
        "Of all {} rows of the token table, those that point most nearly the same way, by cosine: "
        "as its vector was, and after the last layer. A late layer's vector turns towards what "
        "comes next, so its neighbours are often guesses.",
        comparison_.config.vocab_size));
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) {
      const ComparedText& text = comparison_.texts[i];
      line();
      hanging("  " + text_letter(i) + "  before: ", in_words(text.nearest_before));
      hanging("     after:  ", in_words(text.nearest_after));
    }
  }

  void plane() {
    heading("The paths on one plane");
    out_ += plane_plot(comparison_, style_);
    line();
    paragraph(
        fmt::format("“·” is the embedding, small letters are the layers between, capitals the "
                    "last layer, “+” several texts in one place. To the right: {}. Upwards: "
                    "{}. Together {} of the variance lies in this plane; the rest is not "
                    "seen.",
                    comparison_.x_axis, comparison_.y_axis,
                    percent(comparison_.x_share + comparison_.y_share)));
  }

  void proof() {
    line();
    for (std::size_t i = 0; i < comparison_.texts.size(); ++i) {
      for (const InvariantProof& invariant : comparison_.texts[i].proof.invariants) {
        if (invariant.holds) continue;
        paragraph(fmt::format("VIOLATED in {}: {} ({}).", text_letter(i), invariant.invariant,
                              invariant.measured),
                  2);
      }
    }
    if (!comparison_.proof_holds()) return;
    paragraph(
        fmt::format("All {} invariants hold in every text; what was recorded was computed "
                    "again in float64.",
                    comparison_.texts.front().proof.invariants.size()));
  }

  const Comparison& comparison_;
  const TerminalStyle& style_;
  std::string out_;
};

}  // namespace

std::string comparison_to_text(const Comparison& comparison, const TerminalStyle& style) {
  return ComparisonWriter(comparison, style).write();
}

}  // namespace limelight
