#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "story/steps/measures.h"
#include "story/steps/steps.h"

namespace limelight {
namespace {

/// The word's row of the matrix product against step 4's sum, term by term.
double difference_to_one_by_one(const Narrator& n) {
  const auto weights = n.row("embedding.weights");
  const auto mix = n.row("embedding.mix");
  const MatrixView embedding = n.values("embedding");
  double largest = 0;
  for (std::size_t c = 0; c < mix.size(); ++c) {
    double sum = 0;
    for (std::int64_t j = 0; j < embedding.rows; ++j) {
      sum += static_cast<double>(weights[static_cast<std::size_t>(j)]) *
             embedding.at(j, static_cast<std::int64_t>(c));
    }
    largest = std::max(largest, std::fabs(sum - mix[c]));
  }
  return largest;
}

}  // namespace

Step everyone_step(const Narrator& n) {
  Step step = {5, "everyone", "Everyone at once", "And the other words?", {}, ""};
  step.blocks.push_back(Prose{fmt::format(
      "Write the {} vectors under each other: the matrix X, one row a word. Then X times itself "
      "laid on its side holds every score at once, a softmax along each row every weight, and the "
      "weights times X every context vector. No loop, three products.",
      n.tokens())});
  step.blocks.push_back(
      Formula{"scores = X Xᵀ,  weights = softmax(scores) row by row,  contexts = weights X",
              fmt::format("[{0} × {1}] [{1} × {0}] = [{0} × {0}],  [{0} × {0}] [{0} × {1}] = "
                          "[{0} × {1}]",
                          n.tokens(), n.story.config.width)});
  if (!n.whole()) {
    step.blocks.push_back(
        Prose{fmt::format("For this text the two square matrices have {} cells each; here one row "
                          "of them was made.",
                          n.tokens() * n.tokens())});
  }
  step.blocks.push_back(
      n.matrix("scores", "Every word's score with every word", "embedding.dots", CellKind::scores));
  step.blocks.push_back(n.matrix("weights", "Every word's weights: each row sums to 1",
                                 "embedding.weights", CellKind::weights));
  step.blocks.push_back(
      n.matrix("contexts", "The context vectors", "embedding.mix", CellKind::numbers));
  step.blocks.push_back(Prose{
      fmt::format("The row of {} is what step 4 added up term by term: the largest difference "
                  "between the two ways is {}.",
                  n.word(), number(difference_to_one_by_one(n)))});
  std::string symmetric =
      "Every score is symmetric: A looks at B exactly as much as B at A, since x · y = y · x";
  if (n.whole()) {
    symmetric += fmt::format(" (the largest difference here is {})",
                             number(asymmetry_of(n.values("embedding.dots")).difference));
  }
  step.falls_short =
      symmetric + fmt::format(
                      ". But what {} needs from another word is not what that word needs "
                      "from {}; and it can only find what is like itself.",
                      n.word(), n.word());
  return step;
}

}  // namespace limelight
