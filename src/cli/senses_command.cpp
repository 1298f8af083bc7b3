// limelight senses: how well a model tells the meanings of ambiguous words apart; and the grammar's
// text.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "training/senses/sense_probe.h"

namespace limelight::cli {
namespace {

struct SensesArguments {
  std::string model;
  std::string grammar;
  std::string format = "text";
  std::string precision = "f32";
  std::string write_text;
  std::size_t bytes = 1'000'000;
  SenseProbeOptions probe;
};

const char* name_of(SensePosition position) {
  return position == SensePosition::kBefore ? "before" : "after";
}

std::string table_row(const SenseAccuracy& word) {
  std::string row = fmt::format("{:<10} {:>6} {:>7.1f} {:>7.1f} {:>9.1f}", word.word, word.senses,
                                100 * word.chance, 100 * word.bag, 100 * word.embedding);
  for (const double share : word.after_layers) row += fmt::format(" {:>7.1f}", 100 * share);
  return row + "\n";
}

std::string report_text(const SenseReport& report) {
  std::string text = fmt::format(
      "\nTelling context {} the word{}; % of held-out sentences told right (nearest class "
      "mean)\n\n",
      name_of(report.position),
      report.position == SensePosition::kAfter ? " (which a causal model has not seen at the word)"
                                               : "");
  text +=
      fmt::format("{:<10} {:>6} {:>7} {:>7} {:>9}", "word", "senses", "chance", "bag", "embedding");
  for (std::size_t i = 0; i < report.average.after_layers.size(); ++i) {
    text += fmt::format(" {:>7}", fmt::format("layer {}", i));
  }
  text += "\n";
  for (const SenseAccuracy& word : report.words) text += table_row(word);
  return text + table_row(report.average);
}

nlohmann::ordered_json accuracy_json(const SenseAccuracy& word) {
  return {{"word", word.word}, {"senses", word.senses},       {"chance", word.chance},
          {"bag", word.bag},   {"embedding", word.embedding}, {"after_layers", word.after_layers}};
}

nlohmann::ordered_json report_json(const SenseReport& report) {
  nlohmann::ordered_json words = nlohmann::ordered_json::array();
  for (const SenseAccuracy& word : report.words) words.push_back(accuracy_json(word));
  return {{"context", name_of(report.position)},
          {"words", words},
          {"average", accuracy_json(report.average)}};
}

int write_text(const SensesArguments& arguments, const SenseGrammar& grammar) {
  const std::string text =
      generate_text(grammar, {.seed = arguments.probe.seed, .bytes = arguments.bytes});
  if (arguments.write_text == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    value_or_mistake(write_file_atomically(arguments.write_text, text));
  }
  return kSuccess;
}

int measure(const SensesArguments& arguments, const SenseGrammar& grammar) {
  LoadedModel model = value_or_mistake(load_model_folder(
      arguments.model.empty() ? built_in_model() : std::filesystem::path(arguments.model)));
  if (arguments.precision == "bf16") model.transformer.set_precision(Precision::bf16);
  const bool on_terminal = isatty(STDERR_FILENO) != 0;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const SensePosition position : {SensePosition::kBefore, SensePosition::kAfter}) {
    const auto progress = [&](int done, int total) {
      if (on_terminal) {
        fmt::print(stderr, "\r\x1b[Kcontext {}: {} of {} words", name_of(position), done, total);
      }
    };
    const SenseReport report = probe_senses(model, grammar, position, arguments.probe, progress);
    if (on_terminal) fmt::print(stderr, "\r\x1b[K");
    if (arguments.format == "json") {
      json.push_back(report_json(report));
    } else {
      fmt::print("{}", report_text(report));
      std::fflush(stdout);
    }
  }
  if (arguments.format == "json") fmt::print("{}\n", json.dump(2));
  return kSuccess;
}

int senses(const SensesArguments& arguments) {
  const std::filesystem::path folder =
      arguments.grammar.empty() ? built_in_senses() : std::filesystem::path(arguments.grammar);
  const SenseGrammar grammar = value_or_mistake(load_sense_grammar(folder));
  return arguments.write_text.empty() ? measure(arguments, grammar)
                                      : write_text(arguments, grammar);
}

}  // namespace

void add_senses_command(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand(
      "senses", "Measure how well a model tells the meanings of ambiguous words apart");
  command->footer(
      "For each word of the grammar: from the mean embedding of the words before it (bag), from "
      "its own\n"
      "token embedding (which is the same whatever it means: chance), and from its vector after "
      "each\n"
      "layer, the share of sentences whose sense is that of the nearest class mean. Means come "
      "from the\n"
      "frames that the model was trained on, sentences from frames that it has never seen.\n\n"
      "Example:\n"
      "  limelight senses --write-text sample.txt --bytes 100000   the text a model is trained on");
  auto arguments = std::make_shared<SensesArguments>();
  command->add_option("--model", arguments->model, "A model's folder (default: lantern, built in)")
      ->type_name("DIR");
  command
      ->add_option("--grammar", arguments->grammar, "The grammar's folder (default: data/senses)")
      ->type_name("DIR");
  command
      ->add_option("--examples", arguments->probe.test_examples,
                   "Held-out sentences for each sense (default 100)")
      ->check(CLI::Range(1, 100000))
      ->type_name("N");
  command->add_option("--seed", arguments->probe.seed, "Seed of what is drawn (default 1)")
      ->type_name("N");
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  command
      ->add_option(
          "--precision", arguments->precision,
          "What linear layers are computed in: f32, or bf16, which needs AMX or AVX512-BF16 "
          "(default f32)")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->type_name("TYPE");
  command
      ->add_option("--write-text", arguments->write_text,
                   "Write training text to FILE (- for standard output) instead of measuring")
      ->type_name("FILE");
  command->add_option("--bytes", arguments->bytes, "How much text to write (default 1000000)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{2'000'000'000}))
      ->type_name("N");
  add_threads_option(*command);
  command->callback([arguments, &exit_status] { exit_status = senses(*arguments); });
}

}  // namespace limelight::cli
