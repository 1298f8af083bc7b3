#pragma once

#include <string>
#include <string_view>

namespace limelight {

/// What one self-contained page is made of.
struct HtmlPage {
  std::string title;        ///< plain text
  std::string summary;      ///< plain text: what a browser without JavaScript shows
  std::string hash;         ///< hexadecimal: what the page's own script and style are known by
  std::string_view style;   ///< CSS
  std::string_view script;  ///< JavaScript, which reads the data from the element "data"
  std::string_view json;    ///< the data
};

/// The page as a file that opens from disk and touches no network: its Content-Security-Policy
/// allows the page's own script and style and nothing else. Whatever title, summary and data hold,
/// they stay text: data's <, >, &, U+2028 and U+2029 are written as JSON escapes, which read back
/// the same. Throws Error when the hash is not of hexadecimal digits.
std::string fill_page(const HtmlPage& page);

/// Text as HTML shows it: &, <, > and " as entities, control characters as U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace limelight
