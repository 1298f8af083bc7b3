#include <fmt/format.h>

#include "story/steps/measures.h"
#include "story/steps/steps.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

FactTable head_table(const Narrator& n) {
  FactTable table = {
      "heads",
      fmt::format("The heads of layer {}, and where each looks from {}", n.layer, n.word()),
      {"largest weight", "effective words", "length of its write"},
      {}};
  for (std::int64_t h = 0; h < n.story.config.num_heads; ++h) {
    const auto weights = n.row(head_tensor(n.layer, h, "weights"));
    const auto seen = weights.first(static_cast<std::size_t>(n.visible()));
    const std::int64_t top = *largest_of(seen);
    table.rows.push_back(
        {fmt::format("head {}: {}{}", h, n.token(top), h == n.head ? " (told above)" : ""),
         {static_cast<double>(seen[static_cast<std::size_t>(top)]), effective_words(seen),
          length_of(n.row(head_tensor(n.layer, h, "write")))}});
  }
  return table;
}

/// Number 0 of the layer's output: every head's write and the bias.
std::string writes_in_numbers(const Narrator& n) {
  constexpr std::int64_t kMostHeads = 6;
  std::string text = "number 0: ";
  for (std::int64_t h = 0; h < std::min(n.story.config.num_heads, kMostHeads); ++h) {
    text += (h == 0 ? "" : " + ") + number(n.row(head_tensor(n.layer, h, "write"))[0]);
  }
  if (n.story.config.num_heads > kMostHeads) text += " + …";
  if (const TraceTensor* bias = n.story.trace.find(n.of_layer("output_bias"))) {
    text += fmt::format(" + {} (bias)", number(bias->values.at(0, 0)));
  }
  return text + " = " + number(n.row(n.of_layer("attention_out"))[0]);
}

}  // namespace

Step heads_step(const Narrator& n) {
  const TransformerConfig& config = n.story.config;
  Step step = {10, "heads", "Several heads", "One pattern or several?", {}, ""};
  step.blocks.push_back(
      Prose{fmt::format("Layer {} has {} heads, each with its own query, key and value matrices "
                        "and so with a pattern "
                        "of its own. All did at once what steps 6 to 9 showed of head {}.",
                        n.layer, config.num_heads, n.head)});
  step.blocks.push_back(head_table(n));
  for (std::int64_t h = 0; h < config.num_heads; ++h) {
    step.blocks.push_back(n.matrix(fmt::format("weights_head_{}", h),
                                   fmt::format("Weights of head {}", h),
                                   head_tensor(n.layer, h, "weights"), CellKind::weights));
  }
  step.blocks.push_back(Prose{fmt::format(
      "The {} context vectors are laid beside each other, {} numbers again, and go through one "
      "more "
      "matrix, W_output. Its rows belong to heads, so every head makes a write of its own into the "
      "word's vector, and the layer's output is the sum of the writes (and a bias).",
      config.num_heads, config.width)});
  step.blocks.push_back(
      n.table("joined", "The heads' context vectors, joined", n.of_layer("context")));
  step.blocks.push_back(
      Formula{"output = Σ over heads of context W_output + b", writes_in_numbers(n)});
  step.blocks.push_back(
      n.table("write", fmt::format("What head {} writes", n.head), n.of_head("write")));
  step.blocks.push_back(
      n.table("output", "What the layer's attention writes", n.of_layer("attention_out")));
  step.falls_short = fmt::format("It is written. What has it made of {}?", n.word());
  return step;
}

}  // namespace limelight
