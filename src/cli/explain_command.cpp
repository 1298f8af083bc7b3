// limelight explain: one text, one word, one head, every number.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "cli/command.h"
#include "faces/explanation_json.h"
#include "faces/explanation_text.h"
#include "model/model_files.h"
#include "story/explanation.h"
#include "training/senses/sense_grammar.h"

namespace limelight::cli {
namespace {

struct ExplainArguments {
  ExplanationRequest request;
  std::string word;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string model;
  std::string format = "text";
};

/// The width of the terminal, of COLUMNS, or 80.
TerminalStyle style_of_stdout() {
  TerminalStyle style;
  winsize size{};
  const bool on_terminal = isatty(STDOUT_FILENO) != 0;
  if (on_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
  } else if (const char* columns = std::getenv("COLUMNS")) {
    style.width = std::atoi(columns);
  }
  style.width = std::clamp(style.width, 40, 200);
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  style.color = on_terminal && (no_color == nullptr || *no_color == '\0') &&
                (terminal == nullptr || std::string_view(terminal) != "dumb");
  return style;
}

/// The words of the grammar and their forms; none where it is not installed: then the last content
/// word is chosen.
std::vector<std::string> ambiguous_words() {
  std::vector<std::string> forms;
  const auto grammar = load_sense_grammar(built_in_senses());
  if (!grammar) return forms;
  for (const SenseWord& word : grammar->words) {
    forms.insert(forms.end(), word.forms.begin(), word.forms.end());
  }
  return forms;
}

std::string read_standard_input() {
  std::string text;
  char buffer[1 << 14];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, count);
    if (text.size() > (std::size_t{1} << 24)) break;  // far beyond any context window
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

int explain_text(ExplainArguments arguments) {
  ExplanationRequest& request = arguments.request;
  if (request.text == "-") request.text = read_standard_input();
  const std::filesystem::path folder =
      arguments.model.empty() ? built_in_model() : std::filesystem::path(arguments.model);
  const LoadedModel model = value_or_mistake(load_model_folder(folder));
  const auto words = request.word ? std::vector<std::string>() : ambiguous_words();
  const Explanation explanation = value_or_mistake(explain(model, request, words));
  const std::string out = arguments.format == "json"
                              ? explanation_to_json(explanation)
                              : explanation_to_text(explanation, style_of_stdout());
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout) != 0) {
    throw Mistake("the output could not be written: is the disk full, or the reader gone?");
  }
  return explanation.proof.holds() ? kSuccess : kDisproved;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("explain", "Show what attention does with a word of a text");
  command->footer(
      "Shows, in the order of the computation: tokens, embedding, query, key and value, scores, "
      "mask and\n"
      "weights, the weighted values and the context vector, every head of the layer, what is "
      "written back,\n"
      "and what the model expects next. Beside each stage: how far float64 is from it.\n\n"
      "Examples:\n"
      "  limelight explain \"She struck a match and the lamp gave a warm light\"\n"
      "  limelight explain \"He sat on the river bank\" --word river --layer 1 --head 0\n"
      "  limelight explain \"The bag was light\" --format json | python3 -m json.tool | less");
  auto arguments = std::make_shared<ExplainArguments>();
  command->add_option("text", arguments->request.text, "The text; - reads standard input")
      ->required()
      ->type_name("TEXT");
  CLI::Option* word =
      command
          ->add_option("--word", arguments->word,
                       "The word to look at (default: an ambiguous one, else the last "
                       "content word)")
          ->type_name("W");
  CLI::Option* layer = command
                           ->add_option("--layer", arguments->layer,
                                        "The layer, from 0 (default: the most selective)")
                           ->type_name("L");
  CLI::Option* head =
      command
          ->add_option("--head", arguments->head, "The head, from 0 (default: the most selective)")
          ->type_name("H");
  command->add_option("--model", arguments->model, "A model's folder (default: lantern, built in)")
      ->type_name("DIR");
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  add_threads_option(*command);
  command->callback([=, &exit_status] {
    if (word->count()) arguments->request.word = arguments->word;
    if (layer->count()) arguments->request.layer = arguments->layer;
    if (head->count()) arguments->request.head = arguments->head;
    exit_status = explain_text(*arguments);
  });
}

}  // namespace limelight::cli
