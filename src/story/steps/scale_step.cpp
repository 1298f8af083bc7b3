#include <fmt/format.h>

#include <cmath>

#include "story/steps/measures.h"
#include "story/steps/steps.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

FactTable with_and_without(const Narrator& n) {
  const auto dots = n.row(n.of_head("dots"));
  const auto scores = n.row(n.of_head("scores"));
  const auto unscaled = n.row(n.of_head("unscaled_weights"));
  const auto weights = n.row(n.of_head("unmasked_weights"));
  const auto largest = [](std::span<const float> row) {
    return static_cast<double>(row[static_cast<std::size_t>(*largest_of(row))]);
  };
  return {
      "spread",
      fmt::format("The row of {} without and with the scale", n.word()),
      {"query · key", fmt::format("divided by √{}", n.story.config.head_dim())},
      {{"spread of the scores (standard deviation)", {spread_of(dots), spread_of(scores)}},
       {"largest score", {largest(dots), largest(scores)}},
       {"largest weight", {largest(unscaled), largest(weights)}},
       {"words attended to, in effect", {effective_words(unscaled), effective_words(weights)}}}};
}

/// What the rows as a whole give to words that come later.
std::string sees_the_future(const Narrator& n) {
  const auto row = n.row(n.of_head("unmasked_weights"));
  double later = 0;
  for (std::int64_t j = n.story.token + 1; j < n.tokens(); ++j) {
    later += row[static_cast<std::size_t>(j)];
  }
  if (n.story.token + 1 < n.tokens()) {
    return fmt::format("{} gives {} of its attention to words that come after it", n.word(),
                       percent(later));
  }
  if (n.tokens() == 1) return "In a longer text a word would give weight to words after it";
  if (!n.whole()) return "Every word but the last gives weight to words that come after it";
  const auto first = n.values(n.of_head("unmasked_weights")).row(0);
  return fmt::format(
      "{} is the last word and has no future here, but {} gives {} of its attention "
      "to words that come after it",
      n.word(), n.token(0), percent(1 - static_cast<double>(first[0])));
}

}  // namespace

Step scale_step(const Narrator& n) {
  const std::int64_t head_dim = n.story.config.head_dim();
  Step step = {7, "scale", "The square root", "Why divide by a square root?", {}, ""};
  step.blocks.push_back(Prose{fmt::format(
      "If the {} numbers of queries and keys vary independently with spread 1, each product has "
      "spread 1, and a sum of {} of them has spread √{} = {:.4f}. Dividing by it makes the spread "
      "of scores the same for heads of any size.",
      head_dim, head_dim, head_dim, std::sqrt(static_cast<double>(head_dim)))});
  const auto dots = n.row(n.of_head("dots"));
  const auto scores = n.row(n.of_head("scores"));
  const auto top = static_cast<std::size_t>(*largest_of(dots));
  step.blocks.push_back(
      Formula{fmt::format("score = query · key / √{}", head_dim),
              fmt::format("score({}, {}) = {} / {:.4f} = {}", n.token(n.story.token),
                          n.token(static_cast<std::int64_t>(top)), number(dots[top]),
                          std::sqrt(static_cast<double>(head_dim)), number(scores[top]))});
  step.blocks.push_back(with_and_without(n));
  step.blocks.push_back(
      n.table("scores", "The scaled scores", n.of_head("scores"), CellKind::scores));
  step.blocks.push_back(n.table("weights", "Their softmax, over every word",
                                n.of_head("unmasked_weights"), CellKind::weights));
  step.blocks.push_back(
      Prose{"A softmax of large scores saturates: one weight near 1, all others near 0, and almost "
            "no gradient left to learn from. Scaled, a head can still be as selective as it likes; "
            "it has to ask for it with larger queries and keys."});
  step.falls_short =
      sees_the_future(n) +
      ". The model is to predict the next word; if it could look at it, there would be nothing to "
      "learn.";
  return step;
}

}  // namespace limelight
