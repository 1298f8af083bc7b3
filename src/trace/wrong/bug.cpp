#include "trace/wrong/bug.h"

#include <algorithm>

namespace limelight {
namespace {

constexpr std::array<KnownBug, kBugCount> kBugs = {{
    {Bug::softmax_over_queries, "softmax_over_queries", "Softmax over the queries",
     "The softmax runs over the axis of the queries, so that each column sums to 1 and no row "
     "does.",
     "weights = softmax(scores, axis=-2)", "weights = softmax(scores, axis=-1)",
     "Sum the weights along both axes: here the columns give 1 and the rows do not. And change the "
     "last word: earlier words move, because they now share each key with every later query."},
    {Bug::scale_by_width, "scale_by_width", "Scaled by the width of the model",
     "Dot products are divided by the square root of the model's width instead of that of "
     "head_dim.",
     "scores = query @ key.T / sqrt(width)", "scores = query @ key.T / sqrt(head_dim)",
     "Divide a score by its dot product: it must be 1/√head_dim however many heads there are. "
     "Every "
     "row still sums to 1 and training still works, only the weights are too even. With a single "
     "head both scales are equal, so test with several."},
    {Bug::no_scale, "no_scale", "No scale",
     "The softmax is taken of the dot products as they are, √head_dim times too far apart.",
     "scores = query @ key.T", "scores = query @ key.T / sqrt(head_dim)",
     "Divide a score by its dot product: 1 means that nobody scaled. Every row still sums to 1, "
     "but "
     "the effective number of words falls towards 1, and where a softmax is saturated no gradient "
     "comes back through it."},
    {Bug::mask_after_softmax, "mask_after_softmax", "Mask after the softmax",
     "The softmax is taken over every word, later ones too; then the later ones' weights are set "
     "to "
     "0 and nobody divides again.",
     "weights = softmax(scores) * visible", "weights = softmax(where(visible, scores, -inf))",
     "Sum the visible weights of the first row: they must be 1, here they are its share among all "
     "words. And change the last word: earlier words move, because it stands in their "
     "denominators."},
    {Bug::mask_after_softmax_renormalised, "mask_after_softmax_renormalised",
     "Mask after the softmax, renormalised",
     "The softmax is taken over every word, the later ones' weights are set to 0, and each row is "
     "divided by its sum.",
     "weights = softmax(scores) * visible; weights /= weights.sum(axis=-1)",
     "weights = softmax(where(visible, scores, -inf))",
     "There is nothing to recognise: the common denominator cancels and the weights are the same "
     "up "
     "to rounding. What remains is wasted work, and one danger: where a hidden score is more than "
     "about 100 above every visible one, all visible weights round to 0 and the row becomes 0/0."},
    {Bug::finite_mask, "finite_mask", "A finite number for minus infinity",
     "Hidden scores become −10 instead of −∞, so that a hidden word keeps a weight.",
     "scores = where(visible, scores, -10)", "scores = where(visible, scores, -inf)",
     "Ask whether masked weights are exactly 0, not whether they are small. −1e4 and below pass "
     "that "
     "test in float32 wherever a word sees something, and fail where it sees nothing (a padded "
     "row): then all scores are equal, and hidden words share the row evenly. In float16 −1e5 is "
     "−∞ already."},
    {Bug::heads_wrong_axis, "heads_wrong_axis", "Heads split along the wrong axis",
     "The rows of query, key and value are cut into heads as if the tensor lay [heads, tokens, "
     "head_dim] in memory, when it lies [tokens, heads, head_dim].",
     "query.reshape(heads, tokens, head_dim)",
     "query.reshape(tokens, heads, head_dim).transpose(1, 0, 2)",
     "Every shape is right and every row sums to 1. Compare one head's query with x times that "
     "head's columns of the matrix: it must be equal. Or change the last word: earlier words move, "
     "because a row of a head is now cut from some other word."},
    {Bug::no_position, "no_position", "Position forgotten",
     "The stream begins with the token's row alone; the position's row is never added.",
     "x = token_table[ids]", "x = token_table[ids] + position_table[:tokens]",
     "Reverse the words before the last one: in the first layer the last word's context must "
     "change, "
     "and here it does not, for a sum of shares has no order. A word that stands twice in the text "
     "has the same query, key and value both times."},
}};

/// Each bug stands at the place of its number.
constexpr bool in_order() {
  for (std::size_t i = 0; i < kBugCount; ++i) {
    if (static_cast<std::size_t>(kBugs[i].bug) != i) return false;
  }
  return true;
}
static_assert(in_order());
static_assert(kFiniteMask == -10, "the text of finite_mask names it");

}  // namespace

const std::array<KnownBug, kBugCount>& known_bugs() { return kBugs; }

const KnownBug& known_bug(Bug bug) { return kBugs[static_cast<std::size_t>(bug)]; }

std::optional<Bug> bug_named(std::string_view name) {
  std::string wanted(name);
  std::ranges::replace(wanted, '-', '_');
  const auto found = std::ranges::find(kBugs, std::string_view(wanted), &KnownBug::name);
  if (found == kBugs.end()) return std::nullopt;
  return found->bug;
}

std::string bug_names() {
  std::string names;
  for (const KnownBug& known : kBugs) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  return names;
}

}  // namespace limelight
