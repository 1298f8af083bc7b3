#include "faces/svg/svg_document.h"

#include <fmt/format.h>

#include <iterator>

#include "base/utf8.h"

namespace limelight {
namespace {

constexpr std::string_view kNotACharacter[] = {"\xef\xbf\xbe", "\xef\xbf\xbf"};  // U+FFFE, U+FFFF

std::string anchor_attribute(TextAnchor anchor) {
  if (anchor == TextAnchor::start) return "";
  return anchor == TextAnchor::middle ? R"( text-anchor="middle")" : R"( text-anchor="end")";
}

/// With at most two digits after the point: finer than any printer.
std::string length(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : printable_cell(text)) {
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
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  for (const std::string_view character : kNotACharacter) {
    for (std::size_t at = 0; (at = out.find(character, at)) != std::string::npos;) {
      out.replace(at, character.size(), "\xef\xbf\xbd");
    }
  }
  return out;
}

void SvgDocument::open_group(std::string_view attributes) {
  fmt::format_to(std::back_inserter(body_), "<g {}>\n", attributes);
}

void SvgDocument::rectangle(double x, double y, double width, double height, std::string_view fill,
                            std::string_view hint) {
  fmt::format_to(std::back_inserter(body_),
                 R"(<rect x="{}" y="{}" width="{}" height="{}" fill="{}")", length(x), length(y),
                 length(width), length(height), fill);
  if (hint.empty()) {
    body_ += "/>\n";
  } else {
    fmt::format_to(std::back_inserter(body_), "><title>{}</title></rect>\n", escape_xml(hint));
  }
}

void SvgDocument::outline(double x, double y, double width, double height) {
  fmt::format_to(
      std::back_inserter(body_),
      R"(<rect x="{}" y="{}" width="{}" height="{}" fill="none" stroke="#000" stroke-width="1.5"/>)"
      "\n",
      length(x), length(y), length(width), length(height));
}

void SvgDocument::path(std::string_view commands, double stroke_width, std::string_view stroke) {
  fmt::format_to(std::back_inserter(body_),
                 R"(<path d="{}" fill="none" stroke="{}" stroke-width="{}"/>)"
                 "\n",
                 commands, stroke, length(stroke_width));
}

void SvgDocument::text(double x, double y, TextAnchor anchor, std::string_view content,
                       std::string_view attributes) {
  fmt::format_to(std::back_inserter(body_),
                 R"(<text x="{}" y="{}"{}{}{}>{}</text>)"
                 "\n",
                 length(x), length(y), anchor_attribute(anchor), attributes.empty() ? "" : " ",
                 attributes, escape_xml(content));
}

std::string SvgDocument::finish(double width, double height, const About& about) const {
  return fmt::format(
      R"(<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" )"
      R"(aria-labelledby="title desc" font-family="Helvetica, Arial, sans-serif" fill="#000">
<title id="title">{2}</title>
<desc id="desc">{3}</desc>
<metadata><story xmlns="urn:limelight:story" {4}/></metadata>
<rect width="{0}" height="{1}" fill="#fff"/>
{5}</svg>
)",
      length(width), length(height), escape_xml(about.title), escape_xml(about.description),
      about.metadata, body_);
}

}  // namespace limelight
