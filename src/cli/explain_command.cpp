// limelight explain: one text, one word, one head, every number, told in twelve steps.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/atomic_file.h"
#include "base/printable.h"
#include "cli/command.h"
#include "cli/output_files.h"
#include "cli/pager.h"
#include "cli/stdout_style.h"
#include "cli/story_files.h"
#include "faces/html/story_html.h"
#include "faces/story_json.h"
#include "faces/terminal/story_text.h"
#include "story/steps/steps.h"
#include "story/story.h"
#include "story/story_teller.h"
#include "trace/trace_file.h"

namespace limelight::cli {
namespace {

/// Longer texts are told by the word's row alone, unless all of it is asked for.
constexpr std::int64_t kMostTokensWhole = 64;
/// A page of a longer text holds one head's telling, not every head's.
constexpr std::int64_t kMostTokensModel = 24;

struct ExplainArguments {
  StoryRequest request;
  StoryTextOptions text;
  std::string word;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  int step = 0;
  std::string bug;
  bool all = false;
  std::string model;
  std::string format = "text";
  std::string trace;
  std::string html;
  std::shared_ptr<StoryFiles> files = std::make_shared<StoryFiles>();
};

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

StoryDetail detail_for(const ExplainArguments& arguments, const LoadedModel& model) {
  if (!arguments.html.empty()) {
    return std::ssize(model.tokenizer.encode(arguments.request.text)) <= kMostTokensModel
               ? StoryDetail::model
               : StoryDetail::head;
  }
  if (arguments.format != "text" || arguments.all || arguments.files->any()) {
    return StoryDetail::head;
  }
  if (arguments.text.brief) return StoryDetail::row;
  return std::ssize(model.tokenizer.encode(arguments.request.text)) <= kMostTokensWhole
             ? StoryDetail::head
             : StoryDetail::row;
}

/// The step that is asked for is one that will be told.
void check_step(const ExplainArguments& arguments) {
  const int steps = arguments.request.bug ? kStepCount + 1 : kStepCount;
  if (!arguments.text.step || (*arguments.text.step >= 1 && *arguments.text.step <= steps)) return;
  throw Mistake(fmt::format("--step: there is no step {}; the steps are 1 to {}{}",
                            *arguments.text.step, steps,
                            arguments.request.bug ? "" : ", and 13 with --bug"));
}

Bug bug_or_mistake(const std::string& name) {
  if (const auto bug = bug_named(name)) return *bug;
  throw Mistake(fmt::format("--bug: there is no bug called \"{}\"; they are {}", printable(name),
                            bug_names()));
}

void write_outputs(const ExplainArguments& arguments, const Story& story) {
  OutputFiles outputs;
  if (const std::string& path = arguments.trace; !path.empty()) {
    outputs.add(path,
                prepare_trace(path, story.trace, {{"text", story.text}, {"hash", story.hash}}));
  }
  prepare_story_files(*arguments.files, story, outputs);
  if (const std::string& path = arguments.html; !path.empty()) {
    outputs.add(path, prepare_file(path, story_to_html(story)));
  }
  outputs.place_all();
}

int explain_text(ExplainArguments arguments) {
  StoryRequest& request = arguments.request;
  check_step(arguments);
  if (request.text == "-") request.text = read_standard_input();
  const StoryTeller teller =
      value_or_mistake(StoryTeller::open(model_folder(arguments.model), built_in_senses()));
  request.detail = detail_for(arguments, teller.model());
  const Story story = value_or_mistake(teller.tell(request));
  write_outputs(arguments, story);
  if (arguments.html.empty()) {
    const bool json = arguments.format == "json";
    print_paged(json ? story_to_json(story, TensorEncoding::arrays)
                     : story_to_text(story, arguments.text, style_of_stdout()),
                !json && !arguments.all);
  }
  return story.proof.holds() ? kSuccess : kDisproved;
}

void add_what(CLI::App& command, const std::shared_ptr<ExplainArguments>& arguments) {
  command.add_option("text", arguments->request.text, "The text; - reads standard input")
      ->required()
      ->type_name("TEXT");
  command
      .add_option("--word", arguments->word,
                  "The word to look at (default: an ambiguous one, else the last content word)")
      ->type_name("W");
  command
      .add_option("--layer", arguments->layer, "The layer, from 0 (default: the most selective)")
      ->type_name("L");
  command.add_option("--head", arguments->head, "The head, from 0 (default: the most selective)")
      ->type_name("H");
  command.add_option("--model", arguments->model, "A model's folder (default: lantern, built in)")
      ->type_name("DIR");
  command
      .add_option(
          "--bug", arguments->bug,
          "Make one mistake on purpose in every layer, and tell what it breaks: " + bug_names())
      ->type_name("NAME");
}

void add_how(CLI::App& command, const std::shared_ptr<ExplainArguments>& arguments) {
  CLI::Option* step =
      command.add_option("--step", arguments->step, "One step alone, 1 to 12; 13 with --bug")
          ->type_name("N");
  CLI::Option* brief =
      command.add_flag("--brief", arguments->text.brief, "Each step in a line or two")
          ->excludes(step);
  command
      .add_flag("--all", arguments->all,
                "Every step, matrices whole however long the text, without a pager")
      ->excludes(step)
      ->excludes(brief);
  command.add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  command
      .add_option("--trace", arguments->trace,
                  "Also keep every tensor of the run, as safetensors with named axes")
      ->type_name("FILE");
  command
      .add_option("--html", arguments->html,
                  "Instead of printing: a page that opens from disk, in which every number opens")
      ->type_name("FILE");
  add_story_file_options(command, arguments->files);
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("explain", "Show what attention does with a word of a text");
  command->footer(
      "Tells in twelve steps how attention makes a word into what its sentence means: embeddings,\n"
      "similarity, shares, mixing, all words at once, query and key, the square root, the mask, "
      "the\n"
      "value matrix, heads, what changed, proof and cost. Every number is the engine's own; "
      "beside\n"
      "each stands how far float64 is from it. The exit status is 3 when an invariant breaks.\n\n"
      "Examples:\n"
      "  limelight explain \"The lamp on the table gave a warm light\"\n"
      "  limelight explain \"He sat on the river bank\" --word river --layer 1 --head 0 --step 8\n"
      "  limelight explain \"The bag was light\" --brief\n"
      "  limelight explain \"The bag was light\" --bug no_scale --step 13\n"
      "  limelight explain \"The bag was light\" --html light.html\n"
      "  limelight explain \"The bag was light\" --format json | python3 -m json.tool | less");
  auto arguments = std::make_shared<ExplainArguments>();
  add_what(*command, arguments);
  add_how(*command, arguments);
  add_threads_option(*command);
  command->callback([=, &exit_status] {
    const auto given = [&](const char* option) { return command->count(option) > 0; };
    if (given("--word")) arguments->request.word = arguments->word;
    if (given("--layer")) arguments->request.layer = arguments->layer;
    if (given("--head")) arguments->request.head = arguments->head;
    if (given("--bug")) arguments->request.bug = bug_or_mistake(arguments->bug);
    if (given("--step")) arguments->text.step = arguments->step;
    exit_status = explain_text(*arguments);
  });
}

}  // namespace limelight::cli
