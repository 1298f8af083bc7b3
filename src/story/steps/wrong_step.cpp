#include <fmt/format.h>
#include <limelight/dtype.h>

#include <algorithm>
#include <cmath>

#include "story/steps/measures.h"
#include "story/steps/steps.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

constexpr std::size_t kMostWords = 16;  // of a row that is laid beside the right one

const Damage& damage_of(const Narrator& n) { return *n.story.damage; }

MatrixView right_values(const Narrator& n, const char* name) {
  return damage_of(n).right.values(n.of_head(name));
}

/// "every row of weights sums to 1 (largest |sum - 1| is 0.83); ..."
std::string listed_invariants(const Proof& proof, bool holding) {
  std::string text;
  for (const InvariantProof& each : proof.invariants) {
    if (each.holds != holding) continue;
    text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", each.invariant, each.measured);
  }
  return text;
}

/// Where the run leaves its recipes: the tensors of the told head and layer that are far from
/// float64, those that were made from wrong ones aside.
std::string first_wrong_tensors(const Narrator& n) {
  std::string text;
  for (const TensorProof& proof : n.story.proof.tensors) {
    const bool told = proof.tensor.starts_with(n.of_head("")) || proof.tensor == "embedding";
    if (!told || proof.relative() <= kLargestRelative) continue;
    text += fmt::format("{}{} (by {})", text.empty() ? "" : ", ", proof.tensor,
                        number(proof.largest_difference));
  }
  return text;
}

/// Of a run whose proof holds: because the mistake is none, or because this text does not show it.
std::string why_nothing_breaks(const Narrator& n) {
  const std::string holds = fmt::format(
      "Nothing breaks. All {} invariants hold, and every tensor is as near to float64 as in a "
      "right "
      "run",
      n.story.proof.invariants.size());
  if (damage_of(n).bug != Bug::mask_after_softmax_renormalised) {
    return holds +
           ", because this text and model are too small for the mistake to matter: a single "
           "word has no future to hide, and a single head is as wide as the model.";
  }
  return holds +
         ": this way of computing is another one to the same weights. It is listed among the "
         "mistakes because it is one division away from being one.";
}

void tell_invariants(const Narrator& n, Step& step) {
  const Proof& proof = n.story.proof;
  if (proof.holds()) {
    step.blocks.push_back(Prose{why_nothing_breaks(n)});
    return;
  }
  step.blocks.push_back(Prose{"It breaks: " + listed_invariants(proof, false) + "."});
  if (const std::string where = first_wrong_tensors(n); !where.empty()) {
    step.blocks.push_back(Prose{
        "Computed again in float64 from their own inputs, these tensors do not come out: " + where +
        ". All others do: what follows a mistake is computed rightly from wrong numbers."});
  }
  step.blocks.push_back(Prose{"It does not break, and so no test of it would notice: " +
                              listed_invariants(proof, true) + "."});
}

/// The word's row of weights beside the right one: of a long text the words that differ most.
FactTable rows_side_by_side(const Narrator& n) {
  const auto wrong = n.row(n.of_head("weights"));
  const auto right = n.row(n.of_head("right_weights"));
  std::vector<float> differences;
  for (std::size_t j = 0; j < wrong.size(); ++j) {
    differences.push_back(std::fabs(wrong[j] - right[j]));
  }
  std::vector<std::int64_t> shown = largest_columns(differences, kMostWords);
  std::ranges::sort(shown);
  FactTable table = {
      "wrong_row",
      fmt::format("The weights of {} in layer {}, head {}{}", n.word(), n.layer, n.head,
                  shown.size() < wrong.size()
                      ? fmt::format(": the {} that differ most", shown.size())
                      : std::string()),
      {"right", "this run", "difference"},
      {}};
  for (const std::int64_t token : shown) {
    const auto j = static_cast<std::size_t>(token);
    table.rows.push_back({n.token(token) + (token > n.story.token ? ", hidden" : ""),
                          {right[j], wrong[j], wrong[j] - right[j]}});
  }
  return table;
}

std::string what_the_row_says(const Narrator& n) {
  const auto wrong = n.row(n.of_head("weights"));
  const auto right = n.row(n.of_head("right_weights"));
  double sum = 0;
  for (const float weight : wrong) sum += weight;
  std::string text =
      fmt::format("In effect {} should attend to {:.2f} words", n.word(), effective_words(right));
  // The measure is of shares: of a row that is none it says nothing.
  if (std::fabs(sum - 1) > 1e-3) {
    return text + fmt::format("; this row sums to {:.4f}, so it is no row of shares at all.", sum);
  }
  text += fmt::format(", and here attends to {:.2f}.", effective_words(wrong));
  if (n.layer > 0 && !n.story.proof.holds()) {
    text += " What enters this layer is changed already: the mistake is made in every layer.";
  }
  return text;
}

/// Of every token that one of the runs expects next: its probability in both.
FactTable guesses_side_by_side(const Narrator& n) {
  FactTable table = {"wrong_guesses", "What the model expects next", {"right", "this run"}, {}};
  const auto probabilities = [](const Trace& trace) {
    return softmax_of(in_double(trace.values("logits").row(0)));
  };
  const std::vector<double> right = probabilities(damage_of(n).right);
  const std::vector<double> wrong = probabilities(n.story.trace);
  std::vector<TokenId> told;
  for (const auto* guesses : {&damage_of(n).right_guesses, &n.story.guesses}) {
    for (const Guess& guess : *guesses) {
      if (std::ranges::find(told, guess.id) != told.end()) continue;
      told.push_back(guess.id);
      const auto id = static_cast<std::size_t>(guess.id);
      table.rows.push_back({readable_token(guess.text), {right[id], wrong[id]}});
    }
  }
  return table;
}

double worst_row_sum(MatrixView weights) {
  double worst = 0;
  for (std::int64_t r = 0; r < weights.rows; ++r) {
    double sum = 0;
    for (const float weight : weights.row(r)) sum += weight;
    worst = std::max(worst, std::fabs(sum - 1));
  }
  return worst;
}

double worst_column_sum(MatrixView weights) {
  double worst = 0;
  for (std::int64_t c = 0; c < weights.columns; ++c) {
    double sum = 0;
    for (std::int64_t r = 0; r < weights.rows; ++r) sum += weights.at(r, c);
    worst = std::max(worst, std::fabs(sum - 1));
  }
  return worst;
}

double largest_hidden(const TraceTensor& weights) {
  double largest = 0;
  for (std::int64_t r = 0; r < weights.values.rows; ++r) {
    for (std::int64_t c = weights.token_of(r) + 1; c < weights.values.columns; ++c) {
      largest = std::max<double>(largest, weights.values.at(r, c));
    }
  }
  return largest;
}

/// score / dot product, where the dot product is largest.
double scale_of(MatrixView scores, MatrixView dots) {
  float largest = 0;
  double scale = 0;
  for (std::int64_t r = 0; r < dots.rows; ++r) {
    for (std::int64_t c = 0; c < dots.columns; ++c) {
      if (std::fabs(dots.at(r, c)) <= largest) continue;
      largest = std::fabs(dots.at(r, c));
      scale = static_cast<double>(scores.at(r, c)) / dots.at(r, c);
    }
  }
  return scale;
}

/// max |query - (x query_matrix + bias)| of a trace, computed in float64.
double distance_from_projection(const Trace& trace, const std::string& query, std::int64_t layer) {
  const TraceTensor& found = trace.at(query);
  const MatrixView matrix = trace.values(query + "_matrix");
  const TraceTensor* bias = trace.find(query + "_bias");
  double worst = 0;
  for (std::int64_t r = 0; r < found.values.rows; ++r) {
    const auto x = trace.row(layer_tensor(layer, "norm_1"), found.token_of(r));
    for (std::int64_t c = 0; c < matrix.columns; ++c) {
      double sum = bias == nullptr ? 0.0 : static_cast<double>(bias->values.at(0, c));
      for (std::size_t k = 0; k < x.size(); ++k) {
        sum += static_cast<double>(x[k]) * matrix.at(static_cast<std::int64_t>(k), c);
      }
      worst = std::max(worst, std::fabs(found.values.at(r, c) - sum));
    }
  }
  return worst;
}

/// What one could measure in code of one's own, in both runs.
FactTable tests(const Narrator& n) {
  FactTable table = {
      "wrong_tests", "Tests that tell them apart, made on both runs", {"right", "this run"}, {}};
  const auto add = [&](std::string what, RightAndWrong both) {
    table.rows.push_back({std::move(what), {both.right, both.wrong}});
  };
  const auto measure = [&](const auto& of) {
    return RightAndWrong{of(damage_of(n).right), of(n.story.trace)};
  };
  const std::string weights = n.of_head("weights");
  add("a row's weights: largest |sum − 1|",
      measure([&](const Trace& t) { return worst_row_sum(t.values(weights)); }));
  if (n.whole()) {
    add("a column's weights: largest |sum − 1|",
        measure([&](const Trace& t) { return worst_column_sum(t.values(weights)); }));
  }
  add("a hidden word's largest weight",
      measure([&](const Trace& t) { return largest_hidden(t.at(weights)); }));
  add("score / dot product", measure([&](const Trace& t) {
        return scale_of(t.values(n.of_head("scores")), t.values(n.of_head("dots")));
      }));
  add("query against x · query matrix: largest difference", measure([&](const Trace& t) {
        return distance_from_projection(t, n.of_head("query"), n.layer);
      }));
  if (const auto& moved = damage_of(n).moved_by_last_word) {
    add("another last word: how far earlier words move", *moved);
  }
  if (const auto& moved = damage_of(n).moved_by_order) {
    add("the words before the last reversed: how far layer 0 moves the last", *moved);
  }
  return table;
}

/// Numbers in the place of minus infinity, on the right run's own scores.
FactTable stand_ins(const Narrator& n) {
  FactTable table = {"wrong_stand_ins",
                     fmt::format("Numbers in place of −∞, in float32, on the scores of layer {}, "
                                 "head {} of the right run",
                                 n.layer, n.head),
                     {"a hidden word's largest weight", "a row that sees nothing sums to",
                      "the number in float16"},
                     {}};
  const MatrixView scores = right_values(n, "scores");
  Matrix copy(scores.rows, scores.columns);
  for (std::int64_t r = 0; r < scores.rows; ++r) {
    std::ranges::copy(scores.row(r), copy.row(r).begin());
  }
  TraceTensor weights;
  for (const float stand_in : {-1.0f, -5.0f, -10.0f, -100.0f, -1e4f, -1e5f}) {
    const Matrix made = weights_with_stand_in(copy, stand_in);
    weights.values = made;
    const std::vector<double> nothing_seen(static_cast<std::size_t>(scores.columns), stand_in);
    double sum = 0;
    for (const double weight : softmax_of(nothing_seen)) sum += weight;
    table.rows.push_back({fmt::format("−{}", -stand_in),
                          {largest_hidden(weights), sum, static_cast<float>(float16(stand_in))}});
  }
  return table;
}

}  // namespace

Step wrong_step(const Narrator& n) {
  const KnownBug& bug = known_bug(damage_of(n).bug);
  Step step = {kStepCount + 1,
               "wrong",
               std::string(bug.title) + ", on purpose",
               "What breaks, and what does not?",
               {},
               ""};
  step.blocks.push_back(Prose{std::string(bug.text)});
  step.blocks.push_back(
      Formula{"right:  " + std::string(bug.right), "here:   " + std::string(bug.wrong)});
  tell_invariants(n, step);
  step.blocks.push_back(rows_side_by_side(n));
  step.blocks.push_back(Prose{what_the_row_says(n)});
  if (n.whole()) {
    step.blocks.push_back(n.matrix("right_weights", "The weights as they should be",
                                   n.of_head("right_weights"), CellKind::weights));
    step.blocks.push_back(n.matrix("wrong_weights", "The weights of this run", n.of_head("weights"),
                                   CellKind::weights));
  }
  if (bug.bug == Bug::finite_mask && n.whole()) step.blocks.push_back(stand_ins(n));
  step.blocks.push_back(guesses_side_by_side(n));
  step.blocks.push_back(tests(n));
  step.blocks.push_back(
      Prose{"How to recognise it in code of your own. " + std::string(bug.recognise)});
  return step;
}

}  // namespace limelight
