// limelight compare: one word in several texts.

#include <memory>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "cli/output_files.h"
#include "cli/pager.h"
#include "cli/stdout_style.h"
#include "faces/comparison_json.h"
#include "faces/html/comparison_html.h"
#include "faces/svg/comparison_svg.h"
#include "faces/terminal/comparison_text.h"
#include "story/story_teller.h"

namespace limelight::cli {
namespace {

struct CompareArguments {
  ComparisonRequest request;
  std::string word;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string model;
  std::string format = "text";
  std::string html;
  std::string svg;
};

int compare(const CompareArguments& arguments) {
  const StoryTeller teller =
      value_or_mistake(StoryTeller::open(model_folder(arguments.model), built_in_senses()));
  const Comparison comparison = value_or_mistake(teller.compare(arguments.request));

  OutputFiles outputs;
  if (const std::string& path = arguments.svg; !path.empty()) {
    outputs.add(path, prepare_file(path, comparison_to_svg(comparison)));
  }
  if (const std::string& path = arguments.html; !path.empty()) {
    outputs.add(path, prepare_file(path, comparison_to_html(comparison)));
  }
  outputs.place_all();
  if (arguments.html.empty()) {
    const bool json = arguments.format == "json";
    print_paged(
        json ? comparison_to_json(comparison) : comparison_to_text(comparison, style_of_stdout()),
        !json);
  }
  return comparison.proof_holds() ? kSuccess : kDisproved;
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("compare", "Follow one word through several texts and lay them together");
  command->footer(
      "In every text the word begins with the same row of the embedding table, whatever it means.\n"
      "What attention brings to it from the words around it makes the difference. Shown are, in\n"
      "this order:\n"
      "  where it begins    how alike its vectors are before the first layer\n"
      "  what it looked at  each visible word's weight, and what that word wrote, in one head\n"
      "  how alike          the cosines between its vectors after every layer\n"
      "  nearest words      of the whole vocabulary, before and after\n"
      "  the paths          from embedding to last layer, on the plane of the two principal axes\n"
      "The exit status is 3 when an invariant breaks, 2 for a mistake in what was asked.\n\n"
      "Examples:\n"
      "  limelight compare \"The lamp gave a warm light\" \"The empty bag was light\" --word "
      "light\n"
      "  limelight compare \"He sat on the river bank\" \"The bank lent him money\" --svg "
      "bank.svg\n"
      "  limelight compare \"A light bag\" \"A light room\" \"A light blue\" --html light.html\n"
      "  limelight compare \"A light bag\" \"A light room\" --format json | python3 -m json.tool");
  auto arguments = std::make_shared<CompareArguments>();
  command->add_option("texts", arguments->request.texts, "2 to 26 texts, each in quotation marks")
      ->required()
      ->type_name("TEXT");
  command
      ->add_option("--word", arguments->word,
                   "The word to follow (default: an ambiguous one of the first text, else its last "
                   "content word)")
      ->type_name("W");
  command
      ->add_option("--layer", arguments->layer,
                   "The layer whose attention is shown, from 0 (default: the most selective)")
      ->type_name("L");
  command->add_option("--head", arguments->head, "The head, from 0 (default: the most selective)")
      ->type_name("H");
  command->add_option("--model", arguments->model, "A model's folder (default: lantern, built in)")
      ->type_name("DIR");
  command->add_option("--format", arguments->format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  command
      ->add_option("--html", arguments->html,
                   "Write it as a page, one file that needs no network, instead of printing it")
      ->type_name("FILE");
  command
      ->add_option("--svg", arguments->svg, "Also draw the paths, as an SVG file fit for a paper")
      ->type_name("FILE");
  add_threads_option(*command);
  command->callback([=, &exit_status] {
    const auto given = [&](const char* option) { return command->count(option) > 0; };
    if (given("--word")) arguments->request.word = arguments->word;
    if (given("--layer")) arguments->request.layer = arguments->layer;
    if (given("--head")) arguments->request.head = arguments->head;
    exit_status = compare(*arguments);
  });
}

}  // namespace limelight::cli
