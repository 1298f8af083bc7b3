#include "cli/pager.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"

namespace limelight::cli {
namespace {

/// less, keeping colours, leaving at once what fits, and the screen as it was.
constexpr const char* kDefaultPager = "less -RFX";

bool taller_than_screen(const std::string& text) {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return false;
  return size.ws_row > 0 && std::ranges::count(text, '\n') >= size.ws_row;
}

/// False when there is no such pager.
bool print_through(const char* pager, const std::string& text) {
  // A reader who quits early closes the pipe; that is no mistake.
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  bool ran = false;
  if (std::FILE* pipe = popen(pager, "w")) {
    std::fwrite(text.data(), 1, text.size(), pipe);
    constexpr int kNotFound = 127;
    const int status = pclose(pipe);
    ran = !(WIFEXITED(status) && WEXITSTATUS(status) == kNotFound);
  }
  std::signal(SIGPIPE, before);
  return ran;
}

}  // namespace

void print_paged(const std::string& text, bool may_page) {
  if (may_page && taller_than_screen(text)) {
    const char* chosen = std::getenv("PAGER");
    const char* pager = chosen == nullptr || *chosen == '\0' ? kDefaultPager : chosen;
    if (print_through(pager, text)) return;
  }
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Mistake("the output could not be written: is the disk full, or the reader gone?");
  }
}

}  // namespace limelight::cli
