#include "faces/svg/story_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/printable.h"
#include "faces/svg/weights_figure.h"
#include "story/narrator.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

constexpr std::array kFigures = {
    std::pair<std::string_view, SvgFigure>{"matrix", SvgFigure::matrix},
    std::pair<std::string_view, SvgFigure>{"heads", SvgFigure::heads},
    std::pair<std::string_view, SvgFigure>{"arcs", SvgFigure::arcs}};

constexpr double kMargin = 16;
constexpr double kHeadingSize = 13;
constexpr double kNoteSize = 9;
constexpr double kNoteWidth = 420;  // a figure of two words still has room for its notes
constexpr double kMatrixFont = 10;
constexpr double kPanelFont = 8;
constexpr int kNamedWords = 3;
constexpr std::size_t kTextShown = 120;

std::string name_of(SvgFigure figure) {
  return std::string(
      std::ranges::find(kFigures, figure, [](const auto& f) { return f.second; })->first);
}

const TraceTensor* weights_of(const Story& story, std::int64_t head) {
  return story.trace.find(head_tensor(story.told().layer, head, "weights"));
}

std::string place_of(const Story& story, SvgFigure figure = SvgFigure::matrix) {
  const Telling& told = story.told();
  if (figure == SvgFigure::heads) return fmt::format("layer {}", told.layer);
  return fmt::format("layer {}, head {}", told.layer, told.head);
}

std::string heading_of(const Story& story, SvgFigure figure) {
  std::string heading = figure == SvgFigure::heads
                            ? fmt::format("Weights of every head of layer {}", story.told().layer)
                            : "Weights of " + place_of(story);
  if (story.damage) {
    heading += fmt::format(", wrong on purpose: {}", known_bug(story.damage->bug).name);
  }
  return heading;
}

std::string note_of(const Story& story, SvgFigure figure) {
  if (story.damage) {
    const KnownBug& bug = known_bug(story.damage->bug);
    return fmt::format("This run is wrong on purpose: {}. {}.", bug.name, bug.title);
  }
  if (figure == SvgFigure::arcs) {
    return fmt::format(
        "Arcs lead from the word that looks to the one it looks at, as thick as the "
        "weight. Grey: other words' weights from 0.1.");
  }
  return "Row: the word that looks. Column: the word it looks at. Rows sum to 1; blank: exactly 0.";
}

/// "lamp" 0.61, "warm" 0.12, ...: what the word attends to most, in words for those who do not see
/// it.
std::string largest_weights(const Story& story, const TraceTensor& weights) {
  const auto row = story.trace.row(weights.name, story.token);
  std::vector<std::int64_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  const auto named = std::min<std::ptrdiff_t>(kNamedWords, std::ssize(order));
  std::ranges::partial_sort(order, order.begin() + named, std::ranges::greater(),
                            [&](std::int64_t key) { return row[static_cast<std::size_t>(key)]; });
  std::string text;
  for (std::ptrdiff_t i = 0; i < named; ++i) {
    const std::int64_t key = order[static_cast<std::size_t>(i)];
    text += fmt::format("{}“{}” {:.2f}", i == 0 ? "" : ", ", figure_label(story, key),
                        row[static_cast<std::size_t>(key)]);
  }
  return text;
}

SvgDocument::About about(const Story& story, SvgFigure figure) {
  const TraceTensor* weights = weights_of(story, story.told().head);
  SvgDocument::About about;
  about.title = fmt::format("{}; {}", heading_of(story, figure), story.model_name);
  about.description =
      fmt::format("{} The text: “{}”.", note_of(story, figure), printable(story.text, kTextShown));
  if (weights != nullptr && weights->row_of(story.token) >= 0) {
    about.description += fmt::format(" In {}, “{}” looks most at {}.", place_of(story),
                                     printable(story.word), largest_weights(story, *weights));
  }
  about.metadata = fmt::format(R"(hash="{}" model="{}" figure="{}" layer="{}" head="{}" word="{}")",
                               story.hash, escape_xml(story.model_name), name_of(figure),
                               story.told().layer, story.told().head, escape_xml(story.word));
  if (story.damage) {
    about.metadata += fmt::format(R"( bug="{}")", known_bug(story.damage->bug).name);
  }
  return about;
}

FigureSize draw_panel(SvgDocument& svg, const Story& story, std::int64_t head, double x, double y) {
  const TraceTensor& weights = *weights_of(story, head);
  std::string heading = fmt::format("head {}", head);
  if (weights.row_of(story.token) >= 0) {
    const auto seen = story.trace.row(weights.name, story.token);
    heading += fmt::format(": “{}” attends to {:.1f} words in effect",
                           figure_label(story, story.token), effective_words(seen));
  }
  svg.text(x, y + kPanelFont, TextAnchor::start, heading,
           fmt::format(R"(font-size="{}" font-weight="bold")", kPanelFont + 1));
  FigureSize size = draw_matrix(svg, story, weights, x, y + kPanelFont, kPanelFont);
  size.height += kPanelFont;
  return size;
}

/// Panels in as square a field as their number allows.
FigureSize draw_heads(SvgDocument& svg, const Story& story, double x, double y) {
  std::vector<std::int64_t> heads;
  for (std::int64_t head = 0; head < story.config.num_heads; ++head) {
    if (weights_of(story, head) != nullptr) heads.push_back(head);
  }
  const auto across = static_cast<std::size_t>(std::ceil(std::sqrt(heads.size())));
  FigureSize field, panel;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const std::size_t rows_above = i / across;
    const auto column = static_cast<double>(i % across);
    const auto row = static_cast<double>(rows_above);
    panel = draw_panel(svg, story, heads[i], x + column * (panel.width + kMargin),
                       y + row * (panel.height + kMargin));
    field.width = std::max(field.width, column * (panel.width + kMargin) + panel.width);
    field.height = std::max(field.height, row * (panel.height + kMargin) + panel.height);
  }
  return field;
}

FigureSize draw(SvgDocument& svg, const Story& story, SvgFigure figure, double x, double y) {
  if (figure == SvgFigure::heads) return draw_heads(svg, story, x, y);
  const TraceTensor& weights =
      story.trace.at(head_tensor(story.told().layer, story.told().head, "weights"));
  if (figure == SvgFigure::arcs) return draw_arcs(svg, story, weights, x, y);
  return draw_matrix(svg, story, weights, x, y, kMatrixFont);
}

}  // namespace

std::optional<SvgFigure> svg_figure_named(std::string_view name) {
  for (const auto& [known, figure] : kFigures) {
    if (known == name) return figure;
  }
  return std::nullopt;
}

std::string story_to_svg(const Story& story, SvgFigure figure) {
  SvgDocument svg;
  svg.text(kMargin, kMargin + kHeadingSize, TextAnchor::start, heading_of(story, figure),
           fmt::format(R"(font-size="{}" font-weight="bold")", kHeadingSize));
  const double top = kMargin + kHeadingSize + kMargin / 2;
  const FigureSize size = draw(svg, story, figure, kMargin, top);
  const double notes = top + size.height + kMargin;
  svg.open_group(fmt::format(R"(font-size="{}" fill="#444")", kNoteSize));
  svg.text(kMargin, notes + kNoteSize, TextAnchor::start, note_of(story, figure));
  svg.text(
      kMargin, notes + 2.5 * kNoteSize, TextAnchor::start,
      fmt::format("{}, {} · limelight {}", story.model_name, place_of(story, figure), story.hash));
  svg.close_group();
  return svg.finish(std::max(size.width, kNoteWidth) + 2 * kMargin, notes + 3 * kNoteSize + kMargin,
                    about(story, figure));
}

}  // namespace limelight
