#include "cli/stdout_style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace limelight::cli {

TerminalStyle style_of_stdout() {
  TerminalStyle style;
  winsize size{};
  const bool on_terminal = isatty(STDOUT_FILENO) != 0;
  if (on_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
  } else if (const char* columns = std::getenv("COLUMNS")) {
    style.width = std::atoi(columns);
  }
  style.width = std::clamp(style.width, 40, 200);
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  style.color = on_terminal && (no_color == nullptr || *no_color == '\0') &&
                (terminal == nullptr || std::string_view(terminal) != "dumb");
  return style;
}

}  // namespace limelight::cli
