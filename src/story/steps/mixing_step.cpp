#include <fmt/format.h>

#include "story/path_plane.h"
#include "story/steps/measures.h"
#include "story/steps/mixture.h"
#include "story/steps/steps.h"

namespace limelight {

Step mixing_step(const Narrator& n) {
  Step step = {4,  "mixing", "Mixing by the weights", fmt::format("What does {} become?", n.word()),
               {}, ""};
  const auto weights = n.row("embedding.weights");
  const auto mix = n.row("embedding.mix");
  step.blocks.push_back(
      Prose{"Take of every word's vector as much as its weight says, and add it all up. The sum is "
            "called a context vector: the word, as its context would have it."});
  step.blocks.push_back(Formula{"context = Σ weight · x",
                                mixture_in_numbers(n, weights, n.values("embedding"), mix[0])});
  step.blocks.push_back(
      mixture_path(n, "head_to_tail",
                   "The weighted vectors laid head to tail: where the last one ends is the context "
                   "vector",
                   weights, n.values("embedding")));
  step.blocks.push_back(n.table("context", "The context vector", "embedding.mix"));
  step.blocks.push_back(Prose{fmt::format(
      "{} It has turned a little: the cosine between {} before and after is {:.4f}, where 1 would "
      "be the same direction.",
      mixture_in_words(n, weights, n.tokens()), n.word(), cosine_of(n.row("embedding"), mix))});
  step.falls_short =
      fmt::format("That is the context vector of {}. Every other word needs its own.", n.word());
  return step;
}

}  // namespace limelight
