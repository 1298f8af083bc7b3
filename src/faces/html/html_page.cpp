#include "faces/html/html_page.h"

#include <fmt/format.h>
#include <limelight/error.h>

#include <algorithm>

#include "faces/html/page_assets.h"

namespace limelight {
namespace {

/// JSON in which no character can end the element that it stands in.
std::string escape_script_data(std::string_view json) {
  std::string out;
  out.reserve(json.size() + json.size() / 64);
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (json.substr(i, 2) == "\xe2\x80" && i + 2 < json.size() &&
               (json[i + 2] == '\xa8' || json[i + 2] == '\xa9')) {
      out += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += c;
    }
  }
  return out;
}

bool is_hexadecimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out += "\xef\xbf\xbd";
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string fill_page(const HtmlPage& page) {
  // The hash is the nonce: what an injected element would have to know, it cannot, being hashed.
  if (!is_hexadecimal(page.hash)) {
    throw Error(fmt::format("page.hash: expected hexadecimal digits, got \"{}\"", page.hash));
  }
  const std::string data = escape_script_data(page.json);
  const std::string title = escape_html(page.title);
  const std::string summary = escape_html(page.summary);
  const auto part_named = [&](std::string_view name) -> std::string_view {
    if (name == "nonce") return page.hash;
    if (name == "title") return title;
    if (name == "summary") return summary;
    if (name == "style") return page.style;
    if (name == "script") return page.script;
    if (name == "data") return data;
    throw Error(fmt::format("page.html: expected a part that is known, got \"{}\"", name));
  };

  std::string out;
  out.reserve(data.size() + page.script.size() + page.style.size() + kPageTemplate.size() + 1024);
  std::string_view rest = kPageTemplate;
  // In one pass: what was filled in is not looked at again, whatever braces it has.
  while (true) {
    const std::size_t open = rest.find("{{");
    out += rest.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = rest.find("}}", open);
    out += part_named(rest.substr(open + 2, close - open - 2));
    rest.remove_prefix(close + 2);
  }
}

}  // namespace limelight
