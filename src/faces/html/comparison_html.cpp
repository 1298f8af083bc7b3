#include "faces/html/comparison_html.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "faces/comparison_data.h"
#include "faces/html/html_page.h"
#include "faces/html/page_assets.h"
#include "faces/svg/comparison_svg.h"

namespace limelight {

std::string comparison_to_html(const Comparison& comparison) {
  FaceJson data = comparison_data(comparison);
  data["figure"] = comparison_to_svg(comparison, FigureNotes::without);
  const std::string json = one_line(data);
  HtmlPage page;
  page.title = fmt::format("“{}” in {} texts, compared by {} ({})", printable_cell(comparison.word),
                           comparison.texts.size(), printable_cell(comparison.model_name),
                           comparison.hash.substr(0, 8));
  page.summary = comparison.begins + " " + comparison.ends;
  page.hash = comparison.hash;
  page.style = kComparisonStyle;
  page.script = kComparisonScript;
  page.json = json;
  return fill_page(page);
}

}  // namespace limelight
