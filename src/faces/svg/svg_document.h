#pragma once

#include <string>
#include <string_view>

namespace limelight {

/// Text as character data of XML 1.0: markup is escaped, and what no XML file may hold (control
/// characters, bytes that are not UTF-8, U+FFFE and U+FFFF) is shown as printable_cell shows it.
std::string escape_xml(std::string_view text);

/// Where a text stands relative to its point.
enum class TextAnchor { start, middle, end };

/// An SVG 1.1 file in the making: shapes and text are appended in drawing order. Text stays text,
/// in the reader's own sans-serif; nothing is loaded from anywhere. Lengths are in user units,
/// 1/96 inch at the file's own size.
class SvgDocument {
 public:
  /// What of the file is not drawn: read aloud, shown on hover, found by who keeps the file.
  struct About {
    std::string title;
    std::string description;
    std::string metadata;  ///< the attributes of the metadata's one element, escaped
  };

  /// Opens and closes a group of shapes with common attributes, such as `font-size="10"`.
  void open_group(std::string_view attributes);
  void close_group() { body_ += "</g>\n"; }

  /// A filled rectangle; what `hint` says is shown while the pointer rests on it.
  void rectangle(double x, double y, double width, double height, std::string_view fill,
                 std::string_view hint = "");
  void outline(double x, double y, double width, double height);
  void path(std::string_view commands, double stroke_width, std::string_view stroke);
  void text(double x, double y, TextAnchor anchor, std::string_view content,
            std::string_view attributes = "");

  /// The whole file.
  std::string finish(double width, double height, const About& about) const;

 private:
  std::string body_;
};

}  // namespace limelight
