#pragma once

#include <string>
#include <string_view>

namespace limelight {

/// What a terminal can show.
struct TerminalStyle {
  int width = 80;      ///< columns
  bool color = false;  ///< escape sequences for colour and weight may be written

  std::string bold(std::string_view text) const;
  std::string dim(std::string_view text) const;
  /// Text on a ground whose depth is `share` (0 to 1): blue, readable at every depth, and told
  /// apart by lightness alone.
  std::string shaded(std::string_view text, double share) const;
};

/// `text` followed by blanks up to `columns`.
std::string pad_right(std::string_view text, int columns);
/// Blanks up to `columns`, then `text`.
std::string pad_left(std::string_view text, int columns);

/// Words of `text` in lines of at most `columns`, each line after the first begun with `indent`
/// blanks.
std::string wrapped(std::string_view text, int columns, int indent = 0);

}  // namespace limelight
