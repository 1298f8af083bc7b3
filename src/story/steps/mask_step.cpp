#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "story/steps/measures.h"
#include "story/steps/mixture.h"
#include "story/steps/steps.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

/// A row of scores and how many of them may be seen.
struct MaskedRow {
  std::vector<double> scores;
  std::size_t seen;
};

/// The row that has the most future: the first word's where it was made, else the word's own.
MaskedRow row_with_future(const Narrator& n) {
  const std::string scores = n.of_head("scores");
  const std::int64_t token = n.whole() ? 0 : n.story.token;
  return {in_double(n.story.trace.row(scores, token)), static_cast<std::size_t>(token) + 1};
}

double leaked(MaskedRow row, double stand_in) {
  std::fill(row.scores.begin() + static_cast<std::ptrdiff_t>(row.seen), row.scores.end(), stand_in);
  const auto weights = softmax_of(row.scores);
  double sum = 0;
  for (std::size_t j = row.seen; j < weights.size(); ++j) sum += weights[j];
  return sum;
}

FactTable stand_ins(const Narrator& n, const MaskedRow& row) {
  FactTable table = {"stand_ins",
                     fmt::format("A number in place of −∞: what leaks from the future into {}",
                                 n.token(static_cast<std::int64_t>(row.seen) - 1)),
                     {"leaks"},
                     {}};
  for (const double stand_in : {0.0, -1.0, -5.0, -10.0, -100.0, -1e4}) {
    table.rows.push_back({number(stand_in), {leaked(row, stand_in)}});
  }
  table.rows.push_back({"−∞", {leaked(row, -std::numeric_limits<double>::infinity())}});
  return table;
}

/// Masking after the softmax and dividing by what is left, against masking before it.
struct TwoWays {
  double sum_left = 0;    ///< of the weights that are not hidden
  double difference = 0;  ///< after dividing by it
};
TwoWays mask_after_softmax(const Narrator& n) {
  const auto unmasked = n.row(n.of_head("unmasked_weights"));
  const auto weights = n.row(n.of_head("weights"));
  TwoWays ways;
  for (std::int64_t j = 0; j <= n.story.token; ++j) {
    ways.sum_left += unmasked[static_cast<std::size_t>(j)];
  }
  for (std::int64_t j = 0; j <= n.story.token; ++j) {
    const auto at = static_cast<std::size_t>(j);
    ways.difference =
        std::max(ways.difference, std::fabs(unmasked[at] / ways.sum_left - weights[at]));
  }
  return ways;
}

}  // namespace

Step mask_step(const Narrator& n) {
  Step step = {8, "mask", "The future hidden", "What may a word see?", {}, ""};
  step.blocks.push_back(
      Prose{fmt::format("A word sees itself and what came before it: {} sees {} of {} words. The "
                        "scores of all others become minus infinity before the softmax. The "
                        "exponential of that is exactly 0, and the weights of the rest sum to 1 by "
                        "themselves.",
                        n.word(), n.visible(), n.tokens())});
  step.blocks.push_back(n.matrix("masked", "Scores, the future hidden", n.of_head("masked_scores"),
                                 CellKind::scores));
  step.blocks.push_back(n.matrix("weights", "Weights: the pattern of this head",
                                 n.of_head("weights"), CellKind::weights));
  const auto weights = n.row(n.of_head("weights"));
  const auto seen = weights.first(static_cast<std::size_t>(n.visible()));
  step.blocks.push_back(Prose{fmt::format("{} In effect it attends to {:.2f} of {} words.",
                                          mixture_in_words(n, weights, n.visible()),
                                          effective_words(seen), n.visible())});
  const TwoWays ways = mask_after_softmax(n);
  step.blocks.push_back(Prose{fmt::format(
      "Hiding after the softmax would leave a row that sums to {:.4f}; divided by that sum it is "
      "the same row again (largest difference {}). Forgetting that division is a common mistake.",
      ways.sum_left, number(ways.difference))});
  if (const MaskedRow row = row_with_future(n); row.seen < row.scores.size()) {
    step.blocks.push_back(
        Prose{"A large negative number in place of minus infinity works until it does not: what "
              "counts is how far it lies below the scores that are seen."});
    step.blocks.push_back(stand_ins(n, row));
  }
  step.falls_short = fmt::format(
      "{} now knows where to look, and only there. But what is mixed is still the "
      "vectors by which words were found.",
      n.word());
  return step;
}

}  // namespace limelight
