#include "faces/csv/story_csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "faces/csv/csv_table.h"
#include "story/narrator.h"

namespace limelight {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kTokenAxis = "token";
constexpr std::string_view kKeyAxis = "key_token";

std::string token_text(const Story& story, std::int64_t token) {
  return printable_cell(story.token_texts[static_cast<std::size_t>(token)]);
}

/// "5 lamp": with its place, as a text may have a word twice.
std::string column_name(const Story& story, const std::string& axis, std::int64_t column) {
  if (axis != kKeyAxis) return fmt::format("{} {}", axis, column);
  return fmt::format("{} {}", column,
                     readable_token(story.token_texts[static_cast<std::size_t>(column)]));
}

std::string table_text(const Story& story, const TensorTable& table) {
  const TraceTensor& tensor = story.trace.at(table.tensor);
  const bool of_tokens = tensor.axes[0] == kTokenAxis;
  Texts header = {tensor.axes[0]};
  if (of_tokens) header.emplace_back("text");
  for (std::int64_t column = 0; column < tensor.values.columns; ++column) {
    header.push_back(column_name(story, tensor.axes[1], column));
  }
  CsvTable csv(header);
  for (std::int64_t row = 0; row < tensor.values.rows; ++row) {
    const std::int64_t place = of_tokens ? tensor.token_of(row) : row;
    Texts label = {std::to_string(place)};
    if (of_tokens) label.push_back(token_text(story, place));
    csv.line(label).numbers(tensor.values.row(row));
  }
  return std::move(csv).take();
}

std::string table_text(const Story&, const FactTable& table) {
  Texts header = {"label"};
  header.insert(header.end(), table.columns.begin(), table.columns.end());
  CsvTable csv(header);
  for (const FactTable::Row& row : table.rows) {
    csv.line(std::span(&row.label, 1)).numbers(std::span(row.values));
  }
  return std::move(csv).take();
}

std::string table_text(const Story&, const PathPicture& path) {
  CsvTable csv(Texts{"label", path.x_axis, path.y_axis});
  for (const PathPicture::Point& point : path.points) {
    const double place[] = {point.x, point.y};
    csv.line(std::span(&point.label, 1)).numbers(std::span(place));
  }
  return std::move(csv).take();
}

std::string tensor_name(const TensorTable& table) { return table.tensor; }
std::string tensor_name(const FactTable&) { return ""; }
std::string tensor_name(const PathPicture&) { return ""; }

/// Letters, digits, - and _ stay.
std::string file_part(std::string_view id) {
  std::string name(id);
  for (char& c : name) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (!stays) c = '_';
  }
  return name;
}

CsvFile story_file(const Story& story) {
  CsvTable csv(Texts{"name", "value"});
  const Telling& told = story.told();
  for (const Texts& line :
       {Texts{"hash", story.hash}, Texts{"model", story.model_name},
        Texts{"text", printable_cell(story.text)}, Texts{"word", printable_cell(story.word)},
        Texts{"token", std::to_string(story.token)}, Texts{"layer", std::to_string(told.layer)},
        Texts{"head", std::to_string(told.head)}}) {
    csv.line(line);
  }
  if (story.damage) {
    csv.line(Texts{"bug", std::string(known_bug(story.damage->bug).name)});
  }
  return {"story.csv", std::move(csv).take()};
}

}  // namespace

std::vector<CsvFile> story_to_csv(const Story& story) {
  std::vector<CsvFile> files = {story_file(story)};
  CsvTable contents(Texts{"file", "step", "title", "table", "caption", "tensor"});
  for (const Step& step : story.told().steps) {
    for (const StoryBlock& block : step.blocks) {
      std::visit(
          [&](const auto& table) {
            if constexpr (requires { table.id; }) {
              const std::string name = fmt::format("{:02}_{}_{}.csv", step.number,
                                                   file_part(step.id), file_part(table.id));
              files.push_back({name, table_text(story, table)});
              contents.line(Texts{name, std::to_string(step.number), step.title, table.id,
                                  table.caption, tensor_name(table)});
            }
          },
          block);
    }
  }
  files.push_back({"tables.csv", std::move(contents).take()});
  return files;
}

}  // namespace limelight
