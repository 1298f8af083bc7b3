#include "training/training_plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace limelight {
namespace {

/// Calls visit(key, field) for every field of a plan: the one list behind writing and reading.
template <class Plan, class Visit>
void for_each_field(Plan& plan, const Visit& visit) {
  visit("text_files", plan.text_files);
  visit("sense_grammar", plan.sense_grammar);
  visit("sense_bytes", plan.sense_bytes);
  visit("validation_file", plan.validation_file);
  visit("validation_fraction", plan.validation_fraction);
  visit("tokenizer_file", plan.tokenizer_file);
  visit("vocab_size", plan.vocab_size);
  visit("context_length", plan.context_length);
  visit("num_layers", plan.num_layers);
  visit("num_heads", plan.num_heads);
  visit("width", plan.width);
  visit("gelu", plan.gelu);
  visit("tied_output", plan.tied_output);
  visit("bias", plan.bias);
  visit("steps", plan.steps);
  visit("batch_size", plan.batch_size);
  visit("accumulate", plan.accumulate);
  visit("learning_rate", plan.optimizer.learning_rate.peak);
  visit("min_learning_rate", plan.optimizer.learning_rate.minimum);
  visit("warmup_steps", plan.optimizer.learning_rate.warmup_steps);
  visit("decay_steps", plan.optimizer.learning_rate.decay_steps);
  visit("beta_1", plan.optimizer.adamw.beta_1);
  visit("beta_2", plan.optimizer.adamw.beta_2);
  visit("epsilon", plan.optimizer.adamw.epsilon);
  visit("weight_decay", plan.optimizer.adamw.weight_decay);
  visit("gradient_clip", plan.optimizer.gradient_clip);
  visit("seed", plan.seed);
  visit("validate_every", plan.validate_every);
  visit("validation_batches", plan.validation_batches);
  visit("checkpoint_every", plan.checkpoint_every);
}

}  // namespace

Status TrainingPlan::check() const {
  const auto positive = [](const char* name, std::int64_t value) -> std::string {
    return value > 0 ? "" : fmt::format("{}: expected a number above 0, got {}", name, value);
  };
  for (const auto& [name, value] : {std::pair{"--context", context_length},
                                    {"--layers", num_layers},
                                    {"--heads", num_heads},
                                    {"--width", width},
                                    {"--steps", steps},
                                    {"--batch", batch_size},
                                    {"--accumulate", accumulate},
                                    {"--validate-every", validate_every},
                                    {"--validation-batches", validation_batches},
                                    {"--checkpoint-every", checkpoint_every}}) {
    if (std::string wrong = positive(name, value); !wrong.empty()) return Failure{wrong};
  }
  if (width % num_heads != 0) {
    return Failure{fmt::format("--width: expected a multiple of the {} heads, got {}; try {}",
                               num_heads, width, (width + num_heads - 1) / num_heads * num_heads)};
  }
  if (text_files.empty() && sense_grammar.empty()) {
    return Failure{"nothing to learn from: give --text FILE, --senses FOLDER or both"};
  }
  if (vocab_size < 257) {
    return Failure{
        fmt::format("--vocab-size: expected at least 257 (256 bytes and the end of a text), got {}",
                    vocab_size)};
  }
  if (!(validation_fraction > 0 && validation_fraction < 1)) {
    return Failure{fmt::format("--validation-fraction: expected between 0 and 1, got {}",
                               validation_fraction)};
  }
  return success();
}

TransformerConfig TrainingPlan::transformer_config(std::int64_t tokenizer_size) const {
  return {.vocab_size = tokenizer_size,
          .context_length = context_length,
          .num_layers = num_layers,
          .num_heads = num_heads,
          .width = width,
          .inner_width = 4 * width,
          .gelu = gelu,
          .tied_output = tied_output,
          .bias = bias};
}

std::string to_json(const TrainingPlan& plan) {
  nlohmann::ordered_json json;
  for_each_field(plan, [&](const char* key, const auto& field) { json[key] = field; });
  return json.dump(2) + "\n";
}

Result<TrainingPlan> parse_training_plan(std::string_view text, std::string_view name) {
  auto json = parse_json(text, name);
  if (!json) return json.failure();
  TrainingPlan plan;
  std::string wrong;
  for_each_field(plan, [&](const char* key, auto& field) {
    const auto found = json->find(key);
    if (found == json->end()) {
      wrong = fmt::format("{}: expected the key \"{}\"", name, key);
      return;
    }
    try {
      found->get_to(field);
    } catch (const nlohmann::json::exception&) {
      wrong = fmt::format("{}: the key \"{}\" has a value of the wrong type", name, key);
    }
  });
  if (!wrong.empty()) return Failure{wrong};
  if (const Status sound = plan.check(); !sound) return sound.failure();
  return plan;
}

}  // namespace limelight
