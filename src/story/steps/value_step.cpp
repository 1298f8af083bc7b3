#include <fmt/format.h>

#include <algorithm>

#include "story/steps/measures.h"
#include "story/steps/mixture.h"
#include "story/steps/steps.h"

namespace limelight {
namespace {

/// How far apart the vectors of different words are, before and after mixing.
FactTable spreads(const Narrator& n) {
  const std::int64_t tokens = n.tokens();
  const auto spread = [&](const std::string& tensor) {
    return spread_of_rows(n.values(tensor), tokens);
  };
  const double input = spread(n.of_layer("norm_1"));
  const double mixed = spread(n.of_head("input_mix"));
  const double value = spread(n.of_head("value"));
  const double context = spread(n.of_head("context"));
  return {"spread",
          "How far the words' vectors lie apart (root mean square distance from their mean)",
          {"before", "after mixing", "what is left"},
          {{"the rows of X", {input, mixed, mixed / input}},
           {"the values", {value, context, context / value}}}};
}

/// The first numbers of every weighted value, and of their sum.
FactTable weighted_values(const Narrator& n) {
  constexpr std::int64_t kMostWords = 12;
  const auto weights = n.row(n.of_head("weights"));
  const MatrixView value = n.values(n.of_head("value"));
  const auto context = n.row(n.of_head("context"));
  const std::int64_t numbers = std::min<std::int64_t>(5, value.columns);
  FactTable table = {"weighted_values",
                     fmt::format("Weight times value, the first {} numbers", numbers),
                     {"weight"},
                     {}};
  for (std::int64_t d = 0; d < numbers; ++d) table.columns.push_back(fmt::format("no. {}", d));
  const auto seen = weights.first(static_cast<std::size_t>(n.visible()));
  for (const std::int64_t j : largest_columns(seen, kMostWords)) {
    const double weight = weights[static_cast<std::size_t>(j)];
    FactTable::Row row = {n.token(j), {weight}};
    for (std::int64_t d = 0; d < numbers; ++d) row.values.push_back(weight * value.at(j, d));
    table.rows.push_back(std::move(row));
  }
  if (n.visible() > kMostWords)
    table.caption += fmt::format("; the {} largest weights", kMostWords);
  FactTable::Row sum = {"their sum, the context vector", {1.0}};
  for (std::int64_t d = 0; d < numbers; ++d) {
    sum.values.push_back(context[static_cast<std::size_t>(d)]);
  }
  table.rows.push_back(std::move(sum));
  return table;
}

std::string why_not_the_inputs(const Narrator& n) {
  return fmt::format(
      "Mixing the rows of X themselves has three faults. A mixture never leaves the hull of what "
      "is "
      "mixed: each of its {} numbers lies between the smallest and the largest of the words it can "
      "see. It pulls the words together. And it passes on what a word was found by instead of what "
      "it has to say: the reason to look at {} need not be what {} should learn from it.",
      n.story.config.width, n.token(*largest_of(n.row(n.of_head("weights")))), n.word());
}

}  // namespace

Step value_step(const Narrator& n) {
  Step step = {9,  "value", "The value matrix", "What should be added, once we know where to look?",
               {}, ""};
  const auto weights = n.row(n.of_head("weights"));
  step.blocks.push_back(Prose{why_not_the_inputs(n)});
  step.blocks.push_back(n.table("input_mix", "The weights with the rows of X: no value matrix",
                                n.of_head("input_mix")));
  step.blocks.push_back(Prose{
      fmt::format("So a third matrix makes a third vector of every word: its value, {} numbers "
                  "that say what it has to pass on. The weights stay as they are; what they "
                  "weigh is the values.",
                  n.story.config.head_dim())});
  step.blocks.push_back(Formula{"value = x W_value + b", projection_in_numbers(n, "value")});
  step.blocks.push_back(n.table("value", "Values: what each word has to say", n.of_head("value")));
  step.blocks.push_back(Formula{"context = Σ weight · value",
                                mixture_in_numbers(n, weights, n.values(n.of_head("value")),
                                                   n.row(n.of_head("context"))[0])});
  step.blocks.push_back(weighted_values(n));
  step.blocks.push_back(mixture_path(n, "head_to_tail",
                                     "The weighted values laid head to tail: the context vector of "
                                     "this head",
                                     weights, n.values(n.of_head("value"))));
  step.blocks.push_back(
      n.table("context", "The context vectors of this head", n.of_head("context")));
  if (n.whole() && n.tokens() > 1) step.blocks.push_back(spreads(n));
  step.falls_short = fmt::format(
      "One row of weights is one way to look. {} has {} places to spend it on, and the mixture "
      "blurs them into one.",
      n.word(), n.visible());
  return step;
}

}  // namespace limelight
