#include "faces/html/story_html.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "faces/html/html_page.h"
#include "faces/html/page_assets.h"
#include "faces/story_json.h"

namespace limelight {
namespace {

constexpr int kTitleColumns = 80;

}  // namespace

std::string story_to_html(const Story& story) {
  const std::string json = story_to_json(story, TensorEncoding::base64);
  HtmlPage page;
  page.title = fmt::format("“{}” in “{}”, told by {} ({})", printable_cell(story.word),
                           printable_cell(story.text, kTitleColumns),
                           printable_cell(story.model_name), story.hash.substr(0, 8));
  page.summary =
      fmt::format("Attention in twelve steps: what the model {} makes of “{}” in “{}”. {}",
                  printable_cell(story.model_name), printable_cell(story.word), story.text,
                  story.proof.holds() ? "The proof holds." : "AN INVARIANT DOES NOT HOLD.");
  page.hash = story.hash;
  page.style = kStoryStyle;
  page.script = kStoryScript;
  page.json = json;
  return fill_page(page);
}

}  // namespace limelight
