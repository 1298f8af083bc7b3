#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace limelight {

/// GPT-2's way to write bytes as visible characters, so that a vocabulary can be a JSON object of
/// strings: the printable bytes of Latin-1 stand for themselves, the other 68 for U+0100 onwards in
/// their order (a blank is "Ġ").
std::string to_byte_alphabet(std::string_view bytes);

/// The bytes behind such a text; none when it holds a character outside the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace limelight
