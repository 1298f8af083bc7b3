#include "base/printable.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>

namespace limelight {
namespace {

struct Character {
  std::size_t bytes = 1;
  bool visible = false;
};

std::uint32_t smallest_of_length(std::size_t bytes) {
  return bytes == 2 ? 0x80 : bytes == 3 ? 0x800 : 0x10000;
}

bool is_visible(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;  // C0, DEL, C1
  if (code >= 0xd800 && code <= 0xdfff) return false;              // surrogates
  if (code == 0x2028 || code == 0x2029) return false;              // line and paragraph separators
  if (code == 0x200e || code == 0x200f) return false;              // direction marks
  if (code >= 0x202a && code <= 0x202e) return false;              // direction embeddings
  if (code >= 0x2066 && code <= 0x2069) return false;              // direction isolates
  return code <= 0x10ffff;
}

/// The character that `text` (not empty) begins with; an ill-formed one counts as a single byte.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, is_visible(lead)};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes > text.size()) return {};
  std::uint32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fu);
  }
  if (code < smallest_of_length(bytes) || !is_visible(code)) return {};
  return {bytes, true};
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string line;
  for (std::size_t characters = 0; !text.empty(); ++characters) {
    if (characters == limit) return line + "...";
    const Character character = first_character(text);
    if (character.visible) {
      line += text.substr(0, character.bytes);
    } else {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    }
    text.remove_prefix(character.bytes);
  }
  return line;
}

std::string printable_path(const std::filesystem::path& path) {
  return printable(std::string_view(path.native()), std::numeric_limits<std::size_t>::max());
}

}  // namespace limelight
