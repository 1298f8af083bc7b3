#include "faces/csv/csv_table.h"

#include <fmt/format.h>

#include <iterator>

namespace limelight {
namespace {

template <class T>
void append_numbers(std::string& text, std::span<const T> values) {
  for (const T value : values) {
    fmt::format_to(std::back_inserter(text), ",{}", value);
  }
}

}  // namespace

std::string csv_field(std::string_view text) {
  std::string field;
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) {
    field = "'";
  }
  field += text;
  // Blanks at the ends are part of a field, but some readers trim what is not quoted.
  const bool plain = field.find_first_of("\",\r\n") == std::string::npos &&
                     (field.empty() || (field.front() != ' ' && field.back() != ' '));
  if (plain) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

CsvTable::CsvTable(std::span<const std::string> header) { line(header); }

CsvTable& CsvTable::line(std::span<const std::string> texts) {
  end_line();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) text_ += ',';
    text_ += csv_field(texts[i]);
  }
  open_ = true;
  return *this;
}

CsvTable& CsvTable::numbers(std::span<const float> values) {
  append_numbers(text_, values);
  return *this;
}

CsvTable& CsvTable::numbers(std::span<const double> values) {
  append_numbers(text_, values);
  return *this;
}

std::string CsvTable::take() && {
  end_line();
  return std::move(text_);
}

void CsvTable::end_line() {
  if (open_) text_ += "\r\n";
  open_ = false;
}

}  // namespace limelight
