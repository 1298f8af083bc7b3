#include "faces/terminal/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/utf8.h"

namespace limelight {
namespace {

/// One step of the ramp: 256-colour codes of ground and ink.
struct Shade {
  int ground, ink;
};

// White to deep blue; the ink turns white where the ground is dark enough for it.
constexpr auto kRamp = std::to_array<Shade>({{255, 240},
                                             {195, 16},
                                             {153, 16},
                                             {117, 16},
                                             {75, 16},
                                             {33, 231},
                                             {27, 231},
                                             {20, 231},
                                             {18, 231}});

}  // namespace

std::string TerminalStyle::bold(std::string_view text) const {
  return color ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

std::string TerminalStyle::dim(std::string_view text) const {
  return color ? fmt::format("\x1b[2m{}\x1b[0m", text) : std::string(text);
}

std::string TerminalStyle::shaded(std::string_view text, double share) const {
  if (!color) return std::string(text);
  // The square root spreads the small shares, which are most of them.
  const double depth = std::sqrt(std::clamp(share, 0.0, 1.0)) * (kRamp.size() - 1);
  const Shade shade = kRamp[static_cast<std::size_t>(std::lround(depth))];
  return fmt::format("\x1b[48;5;{};38;5;{}m{}\x1b[0m", shade.ground, shade.ink, text);
}

std::string pad_right(std::string_view text, int columns) {
  return std::string(text) +
         std::string(static_cast<std::size_t>(std::max(0, columns - display_width(text))), ' ');
}

std::string pad_left(std::string_view text, int columns) {
  return std::string(static_cast<std::size_t>(std::max(0, columns - display_width(text))), ' ') +
         std::string(text);
}

std::string wrapped(std::string_view text, int columns, int indent) {
  std::string out;
  int used = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    const int width = display_width(word);
    if (used > 0 && used + 1 + width > columns) {
      out += '\n' + std::string(static_cast<std::size_t>(indent), ' ');
      used = indent;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace limelight
