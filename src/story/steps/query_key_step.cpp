#include <fmt/format.h>

#include "story/steps/measures.h"
#include "story/steps/mixture.h"
#include "story/steps/steps.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

std::string what_enters(const Narrator& n) {
  std::string text = fmt::format(
      "From here on, a layer of the model itself is at work: layer {}, head {}", n.layer, n.head);
  if (!n.reason.empty()) text += " (" + n.reason + ")";
  text += n.layer == 0 ? ". What enters it are the embeddings of step 1"
                       : fmt::format(
                             ". What enters it are the embeddings with all that the {} layer{} "
                             "before it wrote onto them",
                             n.layer, n.layer == 1 ? "" : "s");
  return text + ", each brought to a common length by a norm. From now on they are the rows of X.";
}

/// Where two words look at each other most differently.
std::string how_asymmetric(const Narrator& n) {
  const MatrixView dots = n.values(n.of_head("dots"));
  const Asymmetry found = asymmetry_of(dots);
  if (found.difference == 0) return "";
  return fmt::format(
      "The scores are no longer symmetric: {} scores {} with {}, and {} scores {} with {}. No pair "
      "differs more than these two, by {}.",
      n.token(found.row), number(dots.at(found.row, found.column)), n.token(found.column),
      n.token(found.column), number(dots.at(found.column, found.row)), n.token(found.row),
      number(found.difference));
}

}  // namespace

Step query_key_step(const Narrator& n) {
  const std::int64_t head_dim = n.story.config.head_dim();
  Step step = {6,
               "query_key",
               "Query and key",
               fmt::format("How can {} ask for something that it is not?", n.word()),
               {},
               ""};
  step.blocks.push_back(Prose{what_enters(n)});
  step.blocks.push_back(n.table("input", "What enters: the rows of X", n.of_layer("norm_1")));
  step.blocks.push_back(Prose{fmt::format(
      "Two matrices that training has made turn each row of X into two shorter vectors of {} "
      "numbers. The query says what a word asks for, the key what it can be found by. A score is "
      "now the dot product of one word's query with another's key.",
      head_dim)});
  step.blocks.push_back(
      Formula{"query = x W_query + b,  key = x W_key + b", projection_in_numbers(n, "query")});
  step.blocks.push_back(n.table("query", "Queries: what each word asks for", n.of_head("query")));
  step.blocks.push_back(n.table("key", "Keys: what each word is found by", n.of_head("key")));
  const auto dots = n.row(n.of_head("dots"));
  const std::int64_t top = *largest_of(dots);
  step.blocks.push_back(
      Formula{fmt::format("score({}, {}) = query · key", n.token(n.story.token), n.token(top)),
              sum_of_products(n.row(n.of_head("query")), n.story.trace.row(n.of_head("key"), top),
                              dots[static_cast<std::size_t>(top)])});
  step.blocks.push_back(n.matrix("scores", "Scores: every query with every key", n.of_head("dots"),
                                 CellKind::scores));
  if (n.whole()) {
    if (const std::string text = how_asymmetric(n); !text.empty()) {
      step.blocks.push_back(Prose{text});
    }
  }
  const auto weights = n.row(n.of_head("unscaled_weights"));
  step.blocks.push_back(n.table("weights", "The softmax of these scores",
                                n.of_head("unscaled_weights"), CellKind::weights));
  step.blocks.push_back(
      n.table("mix", "Mixed by them, still the words' own rows of X", n.of_head("unscaled_mix")));
  step.blocks.push_back(Prose{mixture_in_words(n, weights, n.tokens())});
  step.falls_short = fmt::format(
      "A score adds up {} products. The more numbers a query has, the larger scores become, and a "
      "softmax of large scores gives nearly everything to one word: here the weights are spread "
      "over {} words in effect (exp of their entropy).",
      head_dim, number(effective_words(weights)));
  return step;
}

}  // namespace limelight
