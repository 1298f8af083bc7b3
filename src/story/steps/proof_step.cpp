#include <fmt/format.h>

#include "story/steps/steps.h"

namespace limelight {
namespace {

/// The tensors that the steps above showed, by what each is called within its layer or head.
FactTable differences(const Narrator& n) {
  FactTable table = {
      "proof",
      fmt::format("Each tensor of layer {} and head {} against float64, from the same "
                  "inputs",
                  n.layer, n.head),
      {"largest difference", "relative to the largest", "at row", "at column"},
      {}};
  const std::string head = n.of_head("");
  const std::string layer = n.of_layer("");
  for (const TensorProof& proof : n.story.proof.tensors) {
    std::string name = proof.tensor;
    if (name.starts_with(head)) {
      name = "head: " + name.substr(head.size());
    } else if (name.starts_with(layer) && name.find(".head.") == std::string::npos) {
      name = "layer: " + name.substr(layer.size());
    } else if (name.starts_with("layer.")) {
      continue;
    }
    table.rows.push_back({name,
                          {proof.largest_difference, proof.relative(),
                           static_cast<double>(proof.row), static_cast<double>(proof.column)}});
  }
  return table;
}

std::string seconds(double value) {
  if (value < 1e-3) return fmt::format("{:.0f} µs", 1e6 * value);
  if (value < 1) return fmt::format("{:.1f} ms", 1e3 * value);
  return fmt::format("{:.2f} s", value);
}

std::string cost_in_words(const Narrator& n) {
  const Cost& cost = n.story.cost;
  const double rate = cost.operations / cost.seconds;
  return fmt::format(
      "{} run over these {} tokens took {}: {:.1f} million multiplications and additions, "
      "{:.1f} MB of parameters and activations. That is {:.1f} GFLOP/s, {} of the {:.0f} GFLOP/s "
      "that this machine's multiply-add units reached when measured just now; a short text is over "
      "before they are busy. The attention of one layer alone took {}, {:.2f} million operations. "
      "The proof took {}.",
      n.story.damage ? "The right" : "The model's", n.tokens(), seconds(cost.seconds),
      cost.operations / 1e6, cost.bytes / 1e6, rate / 1e9, percent(rate / cost.operations_ceiling),
      cost.operations_ceiling / 1e9, seconds(cost.attention_seconds),
      cost.attention_operations / 1e6, seconds(n.story.proof.seconds));
}

FactTable guesses(const Narrator& n) {
  FactTable table = {"guesses", "What the model expects next", {"probability"}, {}};
  for (const Guess& guess : n.story.guesses) {
    table.rows.push_back({readable_token(guess.text), {guess.probability}});
  }
  return table;
}

}  // namespace

Step proof_step(const Narrator& n) {
  Step step = {12, "proof", "Proof and cost", "Is it true, and what did it cost?", {}, ""};
  step.blocks.push_back(
      Prose{"Every number above was left by the engine in float32. Each tensor has been computed a "
            "second time in float64, by another path, from the same inputs."});
  step.blocks.push_back(differences(n));
  for (const InvariantProof& invariant : n.story.proof.invariants) {
    step.blocks.push_back(Prose{fmt::format("{}: {} ({}).", invariant.holds ? "Holds" : "VIOLATED",
                                            invariant.invariant, invariant.measured)});
  }
  step.blocks.push_back(Prose{cost_in_words(n)});
  step.blocks.push_back(guesses(n));
  return step;
}

}  // namespace limelight
