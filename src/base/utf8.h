#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

/// The offset of the first byte that belongs to no well-formed character (RFC 3629), if there is
/// one.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// The columns that a text takes in a terminal: wide characters (East Asian, emoji) take 2,
/// combining marks and controls 0; an invalid byte takes 1.
int display_width(std::string_view text);

/// The text made fit to print: controls as their pictures (newline as "⏎", tab as "⇥"), invalid
/// bytes as
/// "\xNN", and cut to at most `columns` with "…" when it is longer.
std::string printable_cell(std::string_view text, int columns = 1 << 20);

}  // namespace limelight
