#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

/// Lines of RFC 4180, one after the other.
class CsvTable {
 public:
  explicit CsvTable(std::span<const std::string> header);

  /// Begins a line with texts; numbers follow in the same line.
  CsvTable& line(std::span<const std::string> texts);
  CsvTable& numbers(std::span<const float> values);
  CsvTable& numbers(std::span<const double> values);

  /// The whole table. REQUIRES: nothing is added afterwards.
  std::string take() &&;

 private:
  void end_line();

  std::string text_;
  bool open_ = false;  ///< a line has begun
};

/// A field of text: made harmless to spreadsheets and quoted where it must be.
std::string csv_field(std::string_view text);

}  // namespace limelight
