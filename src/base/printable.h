#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace limelight {

/// Text from outside, made fit for one line of a message: control characters, bytes that are not
/// UTF-8 and the characters that steer a terminal's writing direction become \xNN, and what is
/// longer than `limit` characters ends in "...". A tensor's name or a path cannot break the line or
/// the screen.
std::string printable(std::string_view text, std::size_t limit = 200);

/// The same for a path, whole.
std::string printable_path(const std::filesystem::path& path);

}  // namespace limelight
