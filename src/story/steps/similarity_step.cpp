#include <fmt/format.h>

#include "story/steps/measures.h"
#include "story/steps/steps.h"

namespace limelight {
namespace {

std::string who_scores(const Narrator& n, std::span<const float> scores) {
  const std::int64_t own = n.story.token;
  const auto most = largest_of(scores, own);
  if (!most) return fmt::format("{} is alone here: its only score is with itself.", n.word());
  const auto least = *smallest_of(scores, own);
  std::string text =
      fmt::format("With itself, {} scores {}. Of the other words it scores highest with {}: {}",
                  n.word(), number(scores[static_cast<std::size_t>(own)]), n.token(*most),
                  number(scores[static_cast<std::size_t>(*most)]));
  if (least != *most) {
    text += fmt::format(", and lowest with {}: {}", n.token(least),
                        number(scores[static_cast<std::size_t>(least)]));
  }
  return text + ".";
}

}  // namespace

Step similarity_step(const Narrator& n) {
  Step step = {2,
               "similarity",
               "How alike are two words?",
               fmt::format("Which words matter to {}?", n.word()),
               {},
               ""};
  const auto scores = n.row("embedding.dots");
  const std::int64_t other = largest_of(scores, n.story.token).value_or(n.story.token);
  step.blocks.push_back(Prose{
      fmt::format("A first idea: the words that matter are those whose vectors point the same way. "
                  "The dot product measures it. Multiply two vectors number by number, and add up "
                  "the {} products. The result is called a score.",
                  n.story.config.width)});
  step.blocks.push_back(
      Formula{fmt::format("score({}, {}) = Σ x · y, number by number", n.token(n.story.token),
                          n.token(other)),
              sum_of_products(n.row("embedding"), n.story.trace.row("embedding", other),
                              scores[static_cast<std::size_t>(other)])});
  step.blocks.push_back(n.table("scores", fmt::format("The score of {} with every word", n.word()),
                                "embedding.dots", CellKind::scores));
  step.blocks.push_back(Prose{who_scores(n, scores)});
  const float low = scores[static_cast<std::size_t>(*smallest_of(scores))];
  const float high = scores[static_cast<std::size_t>(*largest_of(scores))];
  step.falls_short = fmt::format(
      "Scores can be of any size and sign; here they run from {} to {}. They say which word "
      "matters "
      "more, and not yet how much of each to take.",
      number(low), number(high));
  return step;
}

}  // namespace limelight
