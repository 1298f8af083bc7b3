#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace limelight {
namespace {

/// A decoded character, or an invalid byte (length 1, valid false).
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;
  bool valid = false;
};

// REQUIRES: at < text.size().
Character decode_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {first, 1, true};
  std::size_t length = 0;
  std::uint32_t code = 0;
  std::uint32_t smallest = 0;  // a shorter form must be used below this
  if ((first & 0xe0) == 0xc0) {
    length = 2, code = first & 0x1fu, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, code = first & 0x0fu, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, code = first & 0x07u, smallest = 0x10000;
  } else {
    return {first, 1, false};
  }
  if (at + length > text.size()) return {first, 1, false};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {first, 1, false};
    code = (code << 6) | (byte(at + i) & 0x3fu);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < smallest || code > 0x10ffff || surrogate) return {first, 1, false};
  return {code, length, true};
}

struct Range {
  std::uint32_t first, last;
};

bool inside(std::uint32_t code, const auto& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](Range range) { return code >= range.first && code <= range.last; });
}

// Blocks that terminals draw two columns wide (Unicode's East Asian Width W and F, and emoji).
constexpr auto kWide = std::to_array<Range>({{0x1100, 0x115f},
                                             {0x2e80, 0x303e},
                                             {0x3041, 0x33ff},
                                             {0x3400, 0x4dbf},
                                             {0x4e00, 0x9fff},
                                             {0xa000, 0xa4cf},
                                             {0xac00, 0xd7a3},
                                             {0xf900, 0xfaff},
                                             {0xfe30, 0xfe6f},
                                             {0xff00, 0xff60},
                                             {0xffe0, 0xffe6},
                                             {0x1f300, 0x1f64f},
                                             {0x1f680, 0x1f6ff},
                                             {0x1f900, 0x1f9ff},
                                             {0x1fa70, 0x1faff},
                                             {0x20000, 0x3fffd}});
// Combining marks, zero-width signs and variation selectors.
constexpr auto kZero = std::to_array<Range>(
    {{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},   {0x064b, 0x065f},
     {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31},   {0x0e34, 0x0e3a},
     {0x0e47, 0x0e4e}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},   {0x2066, 0x2069},
     {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0000, 0xe01ef}});

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

// Direction overrides would let a text rearrange what stands beside it.
bool rearranges(std::uint32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x200e || code == 0x200f;
}

int width_of(const Character& character) {
  if (!character.valid) return 1;
  if (is_control(character.code) || inside(character.code, kZero)) return 0;
  return inside(character.code, kWide) ? 2 : 1;
}

std::string picture_of(const Character& character, std::string_view bytes) {
  if (!character.valid) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned>(character.code));
    return text.data();
  }
  if (character.code == '\n') return "⏎";
  if (character.code == '\t') return "⇥";
  if (is_control(character.code) || rearranges(character.code)) return "·";
  return std::string(bytes);
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text, at);
    if (!character.valid) return at;
    at += character.length;
  }
  return std::nullopt;
}

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text, at);
    width += width_of(character);
    at += character.length;
  }
  return width;
}

std::string printable_cell(std::string_view text, int columns) {
  std::string out;
  std::string cut;  // what fits with room left for the ellipsis
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode_at(text, at);
    const std::string picture = picture_of(character, text.substr(at, character.length));
    width += display_width(picture);
    if (width > columns) return cut + "…";
    out += picture;
    if (width < columns) cut = out;
    at += character.length;
  }
  return out;
}

}  // namespace limelight
