#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "story/steps/measures.h"
#include "story/steps/steps.h"

namespace limelight {
namespace {

constexpr std::int64_t kMostRows = 12;

std::string what_division_gives(const Narrator& n, std::span<const float> scores,
                                std::span<const float> shares) {
  double sum = 0;
  for (const float score : scores) sum += score;
  std::string text = fmt::format(
      "Shares must not be negative, and must sum to 1. Dividing every score by the sum "
      "of all, {}, looks like the answer. ",
      number(sum));
  const auto worst = *smallest_of(shares);
  const float share = shares[static_cast<std::size_t>(worst)];
  if (share < 0) {
    return text + fmt::format(
                      "But it gives {} a share of {}: a negative part of a word means "
                      "nothing.",
                      n.token(worst), percent(share));
  }
  return text +
         "Here it happens to work, since no score is negative; one that is would get a negative "
         "share, and scores that cancel would leave a sum near 0 to divide by.";
}

/// Both ways to the same shares, for the words with the largest.
FactTable both_ways(const Narrator& n, std::span<const float> scores,
                    std::span<const float> weights) {
  const double maximum = *std::ranges::max_element(scores);
  double plain_sum = 0;
  double safe_sum = 0;
  for (const double score : scores) {
    plain_sum += std::exp(score);
    safe_sum += std::exp(score - maximum);
  }
  FactTable table = {"softmax",
                     "The softmax, straight and with the largest score subtracted first",
                     {"score", "exp(score)", "share", "exp(score − max)", "share again", "engine"},
                     {}};
  for (const std::int64_t j : largest_columns(weights, kMostRows)) {
    const double score = scores[static_cast<std::size_t>(j)];
    table.rows.push_back({n.token(j),
                          {score, std::exp(score), std::exp(score) / plain_sum,
                           std::exp(score - maximum), std::exp(score - maximum) / safe_sum,
                           static_cast<double>(weights[static_cast<std::size_t>(j)])}});
  }
  if (std::ssize(weights) > kMostRows) {
    table.caption +=
        fmt::format("; the {} words with the largest shares of {}", kMostRows, weights.size());
  }
  return table;
}

}  // namespace

Step shares_step(const Narrator& n) {
  Step step = {3, "shares", "From scores to shares", "How much of each?", {}, ""};
  const auto scores = n.row("embedding.dots");
  const auto weights = n.row("embedding.weights");
  step.blocks.push_back(Prose{what_division_gives(n, scores, n.row("embedding.shares"))});
  step.blocks.push_back(n.table("divided", "Scores divided by their sum: not the answer",
                                "embedding.shares", CellKind::scores));
  const std::int64_t top =
      *largest_of(weights, std::ssize(weights) > 1 ? std::optional(n.story.token) : std::nullopt);
  const double score = scores[static_cast<std::size_t>(top)];
  double sum = 0;
  for (const double each : scores) sum += std::exp(each);
  step.blocks.push_back(
      Prose{"The exponential makes every number positive and keeps their order. Dividing the "
            "exponentials by their sum is called the softmax, and the shares are called weights."});
  step.blocks.push_back(
      Formula{"weight = exp(score) / Σ exp(scores)",
              fmt::format("weight({}) = exp({}) / {} = {}", n.token(top), number(score),
                          number(sum), number(std::exp(score) / sum))});
  step.blocks.push_back(
      Prose{"One care is needed: exp overflows, in float32 from a score of about 88. Subtracting "
            "the largest score from all of them divides numerator and denominator by the same "
            "number, so no weight changes, and no exponent is above 0."});
  step.blocks.push_back(both_ways(n, scores, weights));
  double total = 0;
  for (const double weight : weights) total += weight;
  step.blocks.push_back(
      n.table("weights", "The weights: how much of each", "embedding.weights", CellKind::weights));
  step.blocks.push_back(Prose{fmt::format("They sum to {:.7f}.", total)});
  step.falls_short = "Weights are a recipe. Nothing has been mixed yet.";
  return step;
}

}  // namespace limelight
