// limelight train: text in, a model folder out.

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "cli/stop_signals.h"
#include "cli/train_progress.h"
#include "training/training_run.h"

namespace limelight::cli {
namespace {

namespace fs = std::filesystem;

/// What was said on the command line: a plan to start from, and changes to it.
struct TrainArguments {
  std::string output;
  std::string plan_file;
  bool resume = false;
  std::vector<std::function<void(TrainingPlan&)>> changes;
};

/// Adds an option that changes one field of the plan.
template <class T>
CLI::Option* add_plan_option(CLI::App& command, const std::shared_ptr<TrainArguments>& arguments,
                             const std::string& name, const std::string& type,
                             const std::string& help, void (*set)(TrainingPlan&, const T&)) {
  CLI::Option* option = command.add_option_function<T>(
      name,
      [arguments, set](const T& value) {
        arguments->changes.push_back([value, set](TrainingPlan& plan) { set(plan, value); });
      },
      help);
  // Of an option given twice the last counts, so that a script's own can be overruled.
  if constexpr (std::is_arithmetic_v<T>) option->take_last();
  return option->type_name(type);
}

void add_text_options(CLI::App& command, const std::shared_ptr<TrainArguments>& arguments) {
  using Int = std::int64_t;
  add_plan_option<std::vector<std::string>>(
      command, arguments, "--text", "FILE...", "Text files to learn from",
      [](TrainingPlan& p, const auto& v) { p.text_files = v; });
  add_plan_option<std::string>(command, arguments, "--senses", "FOLDER",
                               "Generate text from a sense grammar (as data/senses)",
                               [](TrainingPlan& p, const auto& v) { p.sense_grammar = v; });
  add_plan_option<Int>(command, arguments, "--senses-bytes", "N",
                       "How much text to generate (default 32000000)",
                       [](TrainingPlan& p, const auto& v) { p.sense_bytes = v; })
      ->check(CLI::Range(std::int64_t{1000}, std::int64_t{2'000'000'000}));
  add_plan_option<std::string>(command, arguments, "--validation", "FILE",
                               "Text to validate on (default: the end of the text)",
                               [](TrainingPlan& p, const auto& v) { p.validation_file = v; });
  add_plan_option<double>(command, arguments, "--validation-fraction", "X",
                          "How much of the text is its end (default 0.02)",
                          [](TrainingPlan& p, const auto& v) { p.validation_fraction = v; });
  add_plan_option<std::string>(command, arguments, "--tokenizer", "FILE",
                               "A tokenizer.json to use (default: learn one from the text)",
                               [](TrainingPlan& p, const auto& v) { p.tokenizer_file = v; });
  add_plan_option<Int>(
      command, arguments, "--vocab-size", "N",
      "Tokens of the vocabulary that is learned (default 4096; 257 is bytes alone)",
      [](TrainingPlan& p, const auto& v) { p.vocab_size = v; });
}

void add_model_options(CLI::App& command, const std::shared_ptr<TrainArguments>& arguments) {
  using Int = std::int64_t;
  add_plan_option<Int>(command, arguments, "--context", "N",
                       "Context window in tokens (default 256)",
                       [](TrainingPlan& p, const auto& v) { p.context_length = v; });
  add_plan_option<Int>(command, arguments, "--layers", "N", "Layers (default 4)",
                       [](TrainingPlan& p, const auto& v) { p.num_layers = v; });
  add_plan_option<Int>(command, arguments, "--heads", "N", "Heads in each layer (default 6)",
                       [](TrainingPlan& p, const auto& v) { p.num_heads = v; });
  add_plan_option<Int>(command, arguments, "--width", "N",
                       "Width of the residual stream (default 192)",
                       [](TrainingPlan& p, const auto& v) { p.width = v; });
}

void add_learning_options(CLI::App& command, const std::shared_ptr<TrainArguments>& arguments) {
  using Int = std::int64_t;
  add_plan_option<Int>(command, arguments, "--steps", "N", "Updates to make (default 1000)",
                       [](TrainingPlan& p, const auto& v) { p.steps = v; });
  add_plan_option<Int>(command, arguments, "--batch", "N", "Windows in a batch (default 16)",
                       [](TrainingPlan& p, const auto& v) { p.batch_size = v; });
  add_plan_option<Int>(command, arguments, "--accumulate", "N", "Batches in an update (default 1)",
                       [](TrainingPlan& p, const auto& v) { p.accumulate = v; });
  add_plan_option<double>(command, arguments, "--learning-rate", "X", "Peak rate (default 1e-3)",
                          [](TrainingPlan& p, const auto& v) {
                            p.optimizer.learning_rate.peak = v;
                            p.optimizer.learning_rate.minimum = v / 10;
                          });
  add_plan_option<double>(
      command, arguments, "--min-learning-rate", "X",
      "Rate at the end (default a tenth of the peak)",
      [](TrainingPlan& p, const auto& v) { p.optimizer.learning_rate.minimum = v; });
  add_plan_option<Int>(
      command, arguments, "--warmup", "N", "Steps of linear warm-up (default 100)",
      [](TrainingPlan& p, const auto& v) { p.optimizer.learning_rate.warmup_steps = v; });
  add_plan_option<double>(
      command, arguments, "--weight-decay", "X", "Decay of matrices (default 0.1)",
      [](TrainingPlan& p, const auto& v) { p.optimizer.adamw.weight_decay = v; });
  add_plan_option<double>(command, arguments, "--clip", "X",
                          "Largest norm of the gradient, 0 for any (default 1)",
                          [](TrainingPlan& p, const auto& v) { p.optimizer.gradient_clip = v; });
  add_plan_option<std::uint64_t>(command, arguments, "--seed", "N",
                                 "Seed of weights, batches and generated text (default 1)",
                                 [](TrainingPlan& p, const auto& v) { p.seed = v; });
  add_plan_option<Int>(command, arguments, "--validate-every", "N", "Steps (default 250)",
                       [](TrainingPlan& p, const auto& v) { p.validate_every = v; });
  add_plan_option<Int>(command, arguments, "--validation-batches", "N",
                       "Batches to validate on (default 8)",
                       [](TrainingPlan& p, const auto& v) { p.validation_batches = v; });
  add_plan_option<Int>(command, arguments, "--checkpoint-every", "N", "Steps (default 250)",
                       [](TrainingPlan& p, const auto& v) { p.checkpoint_every = v; });
}

TrainingPlan read_plan(const fs::path& file) {
  const std::string text = value_or_mistake(read_whole_file(file));
  return value_or_mistake(parse_training_plan(text, file.string()));
}

TrainingPlan make_plan(const TrainArguments& arguments) {
  if (arguments.resume) {
    if (!arguments.changes.empty() || !arguments.plan_file.empty()) {
      throw Mistake(
          "--resume goes on with the plan in the folder: give it no other option than --output and "
          "--threads");
    }
    return read_plan(training_plan_path(arguments.output));
  }
  TrainingPlan plan;
  const bool from_file = !arguments.plan_file.empty();
  if (from_file) plan = read_plan(arguments.plan_file);
  const std::int64_t planned_steps = plan.steps;
  for (const auto& change : arguments.changes) change(plan);
  // The cosine ends with the run.
  if (!from_file || plan.steps != planned_steps)
    plan.optimizer.learning_rate.decay_steps = plan.steps;
  return plan;
}

int train(const TrainArguments& arguments) {
  const TrainingPlan plan = make_plan(arguments);
  const StopSignals stop;
  TrainProgress progress(plan);
  const TrainingOutcome outcome = value_or_mistake(
      run_training(plan, arguments.output, arguments.resume, stop.requested(), progress));
  if (outcome.interrupted) {
    fmt::print(stderr,
               "stopped after step {} of {}; go on with: limelight train --resume --output {}\n",
               outcome.steps_done, plan.steps, arguments.output);
    return kInterrupted;
  }
  fmt::print("{} steps, {:.0f} tokens/s, validation loss {:.4f} (perplexity {:.2f}); model in {}\n",
             outcome.steps_done, progress.tokens_per_second(), outcome.validation_loss,
             std::exp(outcome.validation_loss), arguments.output);
  return kSuccess;
}

}  // namespace

void add_train_command(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("train", "Train a model on text");
  command->footer(
      "The folder opens in Hugging Face transformers. Killed at any moment, the run goes on from "
      "its\n"
      "last checkpoint with --resume, and ends with the same bits as if nothing had happened.\n\n"
      "Example:\n"
      "  limelight train --text book.txt --output book-model --steps 2000");
  auto arguments = std::make_shared<TrainArguments>();
  command->add_option("--output", arguments->output, "Folder of the model and of the run's state")
      ->required()
      ->type_name("FOLDER");
  command->add_flag("--resume", arguments->resume, "Go on from the last checkpoint in the folder");
  command
      ->add_option("--plan", arguments->plan_file,
                   "Start from the options in a training_plan.json; other options change it")
      ->type_name("FILE");
  add_text_options(*command, arguments);
  add_model_options(*command, arguments);
  add_learning_options(*command, arguments);
  add_threads_option(*command);
  command->callback([arguments, &exit_status] { exit_status = train(*arguments); });
}

}  // namespace limelight::cli
