#include "faces/explanation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/utf8.h"
#include "faces/terminal/heat_matrix.h"

namespace limelight {
namespace {

/// The text of one explanation, section by section.
class Page {
 public:
  Page(const Explanation& explanation, const TerminalStyle& style)
      : e_(explanation),
        style_(style),
        layer_(explanation.trace.layers[static_cast<std::size_t>(explanation.head.layer)]) {
    for (const std::string& text : e_.token_texts) labels_.push_back(label_of(text));
  }

  std::string write() {
    introduction();
    tokens();
    embedding();
    query_key_value();
    scores_and_weights();
    mixing();
    all_heads();
    written_back();
    guesses();
    proof();
    return std::move(out_);
  }

 private:
  static std::string label_of(const std::string& text) {
    // A token's leading blank says "a new word"; in a label it would only be a gap.
    const std::string_view shown = text.size() > 1 && text.front() == ' '
                                       ? std::string_view(text).substr(1)
                                       : std::string_view(text);
    return shown == " " ? "␣" : printable_cell(shown);
  }

  std::string quoted_word() const { return "\"" + printable_cell(e_.word) + "\""; }

  void line(const std::string& text = "") { out_ += text + "\n"; }
  void paragraph(const std::string& text) { line(wrapped(text, style_.width)); }

  void heading(const std::string& title, const std::string& stage) {
    line();
    const StageProof* proven = stage.empty() ? nullptr : &e_.proof.stage(stage);
    const std::string proof =
        proven ? fmt::format("float64 differs by {:.1e}", proven->largest_difference) : "";
    const int gap = style_.width - display_width(title) - display_width(proof);
    if (gap >= 2) {
      line(style_.bold(title) + std::string(static_cast<std::size_t>(gap), ' ') +
           style_.dim(proof));
    } else {
      line(style_.bold(title));
      if (proven) line(style_.dim(proof));
    }
  }

  /// Numbers in columns that fill the width.
  void numbers(std::span<const float> values, int indent = 2) {
    constexpr int kColumn = 9;
    const auto fit = static_cast<std::size_t>(std::max(1, (style_.width - indent) / kColumn));
    for (std::size_t i = 0; i < values.size(); i += fit) {
      std::string row(static_cast<std::size_t>(indent), ' ');
      for (std::size_t j = i; j < std::min(i + fit, values.size()); ++j) {
        row += fmt::format("{:>9.4f}", values[j]);
      }
      line(row);
    }
  }

  void introduction() {
    line(style_.bold(wrapped(printable_cell(e_.text), style_.width)));
    line();
    std::string text = fmt::format("Looking at {} (token {})", quoted_word(), e_.token);
    if (!e_.word_reason.empty()) text += ", " + e_.word_reason;
    text += fmt::format("; layer {}, head {}", e_.head.layer, e_.head.head);
    text += e_.head_reason.empty() ? "." : ": " + e_.head_reason + ".";
    paragraph(text);
  }

  void tokens() {
    heading("Tokens: what the model sees", "");
    std::string row;
    int used = 0;
    for (std::size_t t = 0; t < e_.ids.size(); ++t) {
      const std::string entry = fmt::format("{} {}", labels_[t], e_.ids[t]);
      const int width = display_width(entry) + 3;
      if (used > 0 && used + width > style_.width) {
        line(row);
        row.clear();
        used = 0;
      }
      const bool in_word = static_cast<std::int64_t>(t) >= e_.first_token &&
                           static_cast<std::int64_t>(t) <= e_.token;
      row += (used ? " · " : "") + (in_word ? style_.bold(entry) : entry);
      used += width;
    }
    line(row);
  }

  void embedding() {
    heading(fmt::format("Embedding of {}: token row + position row", quoted_word()), "embedding");
    const auto start = [&](const char* name, const Matrix& matrix) {
      const auto row = matrix.row(e_.token);
      const auto fit = static_cast<std::size_t>(std::max(1, (style_.width - 14) / 9));
      std::string text = fmt::format("  {:<10}", name);
      for (std::size_t i = 0; i < std::min(fit, row.size()); ++i) {
        text += fmt::format("{:>9.4f}", row[i]);
      }
      line(text + (fit < row.size() ? " …" : ""));
    };
    start("token", e_.trace.token_embedding);
    start("position", e_.trace.position_embedding);
    start("sum", e_.trace.embedding);
    line(style_.dim(fmt::format("  the first of {} numbers", e_.trace.embedding.columns)));
  }

  void query_key_value() {
    heading(fmt::format("Query, key and value of {}", quoted_word()), "query, key, value");
    for (const auto& [name, matrix] : {std::pair{"query: what it asks for", &e_.head.query},
                                       {"key: what it is found by", &e_.head.key},
                                       {"value: what it has to say", &e_.head.value}}) {
      line(fmt::format("  {}", name));
      numbers(matrix->row(e_.token), 2);
    }
  }

  void scores_and_weights() {
    heading("Scores, mask, weights", "weights");
    paragraph(
        fmt::format("score = query · key × {:.4f} (1/√{}); weight = exp(score) / sum. {} sees the "
                    "{} token{} up to "
                    "itself.",
                    e_.head.softmax_scale, e_.head.query.columns, quoted_word(), e_.token + 1,
                    e_.token == 0 ? "" : "s"));
    const int label = label_width();
    line(style_.dim(
        fmt::format("  {} {:>9} {:>9} {:>9}", pad_right("", label), "dot", "score", "weight")));
    double sum = 0;
    for (std::int64_t j = 0; j < e_.head.weights.columns; ++j) {
      const std::string name =
          pad_right(printable_cell(labels_[static_cast<std::size_t>(j)], label), label);
      if (j > e_.token) {
        line(style_.dim(fmt::format("  {} {:>9.4f} {:>9.4f} {:>9}", name,
                                    e_.head.dots.at(e_.token, j), e_.head.scores.at(e_.token, j),
                                    "masked")));
        continue;
      }
      const float weight = e_.head.weights.at(e_.token, j);
      sum += weight;
      line(fmt::format("  {} {:>9.4f} {:>9.4f} {:>9.6f} {}", name, e_.head.dots.at(e_.token, j),
                       e_.head.scores.at(e_.token, j), weight, bar(weight, label)));
    }
    line(fmt::format("  {} {:>9} {:>9} {:>9.6f}", pad_right("sum", label), "", "", sum));
    line(fmt::format("  effective words (exp of the entropy): {:.2f} of {}", e_.effective_words,
                     e_.token + 1));
  }

  int label_width() const {
    int widest = 4;
    for (const std::string& label : labels_) widest = std::max(widest, display_width(label));
    return std::min(widest, 16);
  }

  std::string bar(double share, int label) const {
    const int room = std::clamp(style_.width - label - 34, 0, 30);
    std::string text;
    for (int i = 0; i < std::lround(share * room); ++i) text += "█";
    return text;
  }

  void mixing() {
    heading(fmt::format("Weights × values = context vector of {}", quoted_word()), "head context");
    const int label = label_width();
    const auto fit = std::max(1, (style_.width - label - 14) / 9);
    const auto row = [&](const std::string& name, const std::string& share, auto&& value_at) {
      std::string text =
          fmt::format("  {} {:>7}", pad_right(printable_cell(name, label), label), share);
      for (int d = 0; d < std::min<int>(fit, static_cast<int>(e_.head.value.columns)); ++d) {
        text += fmt::format("{:>9.4f}", value_at(d));
      }
      line(text + (fit < e_.head.value.columns ? " …" : ""));
    };
    for (std::int64_t j = 0; j <= e_.token; ++j) {
      const float weight = e_.head.weights.at(e_.token, j);
      row(labels_[static_cast<std::size_t>(j)], fmt::format("{:.4f}", weight),
          [&](int d) { return weight * e_.head.value.at(j, d); });
    }
    row("sum", "", [&](int d) { return e_.head.context.at(e_.token, d); });
    line("  the context vector, whole");
    numbers(e_.head.context.row(e_.token));
  }

  void all_heads() {
    heading(fmt::format("Every head of layer {}: rows look at columns", e_.head.layer), "scores");
    for (std::size_t h = 0; h < e_.layer_weights.size(); ++h) {
      const bool chosen = static_cast<std::int64_t>(h) == e_.head.head;
      const std::string title = fmt::format("head {}{}", h, chosen ? " (the one above)" : "");
      line(chosen ? style_.bold(title) : title);
      out_ += heat_matrix(e_.layer_weights[h], labels_, e_.token, style_);
    }
  }

  void written_back() {
    heading("Joined and written back", "attention out");
    paragraph(
        fmt::format("The {} context vectors are joined ({} numbers) and multiplied by the output "
                    "matrix. Each head "
                    "thus makes a write of its own; the writes (and a bias) add up to what the "
                    "layer adds to the "
                    "stream of {}.",
                    e_.layer_weights.size(), layer_.context.columns, quoted_word()));
    for (std::size_t h = 0; h < e_.head_write_lengths.size(); ++h) {
      line(fmt::format("  head {:<3} write of length {:>8.4f}", h, e_.head_write_lengths[h]));
    }
    line(fmt::format("  together       length {:>8.4f}", length(layer_.attention_out)));
    line(fmt::format("  stream before  length {:>8.4f}", length(layer_.residual_in)));
    line(fmt::format("  stream after   length {:>8.4f}   cosine with before {:.4f}",
                     length(layer_.residual_mid), cosine(layer_.residual_in, layer_.residual_mid)));
  }

  double length(const Matrix& matrix) const {
    const auto row = matrix.row(e_.token);
    return std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
  }
  double cosine(const Matrix& a, const Matrix& b) const {
    const auto x = a.row(e_.token);
    const auto y = b.row(e_.token);
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0) / (length(a) * length(b));
  }

  void guesses() {
    heading("What the model expects next", "logits");
    for (const Guess& guess : e_.guesses) {
      line(fmt::format("  {} {:>7.2f} %", pad_right(printable_cell(guess.text, 20), 20),
                       100 * guess.probability));
    }
  }

  void proof() {
    heading("Proof: the same stages in float64, from the same inputs", "");
    const int columns = style_.width >= 76 ? 2 : 1;
    std::string row;
    for (std::size_t i = 0; i < e_.proof.stages.size(); ++i) {
      const StageProof& stage = e_.proof.stages[i];
      row += fmt::format("  {:<23} {:>9.1e}", stage.stage, stage.largest_difference);
      if (static_cast<int>(i) % columns == columns - 1 || i + 1 == e_.proof.stages.size()) {
        line(row);
        row.clear();
      }
    }
    for (const InvariantProof& invariant : e_.proof.invariants) {
      paragraph(fmt::format("  {} {}: {}", invariant.holds ? "yes" : "NO ", invariant.invariant,
                            invariant.measured));
    }
  }

  const Explanation& e_;
  const TerminalStyle& style_;
  const LayerTrace& layer_;
  std::vector<std::string> labels_;
  std::string out_;
};

}  // namespace

std::string explanation_to_text(const Explanation& explanation, const TerminalStyle& style) {
  return Page(explanation, style).write();
}

}  // namespace limelight
