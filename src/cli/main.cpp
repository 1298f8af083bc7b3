// limelight: self-attention, computed fast and shown to the last digit.

#include <cstdio>
#include <new>
#include <string>

#include "cli/command.h"

namespace {

using namespace limelight;

constexpr const char* kDescription =
    "Self-attention, computed fast and shown to the last digit.\n\n"
    "Start with:\n"
    "  limelight explain \"The lamp on the table gave a warm light\"";

/// One line, whatever the message holds.
void complain(std::string message) {
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  std::fprintf(stderr, "limelight: %s\n", message.c_str());
}

/// CLI11 would only say that a command is missing.
std::string unknown_command(const CLI::App& app, const char* first) {
  const std::string name = first;
  std::string known;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name() == name) return "";
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  if (name.starts_with('-')) return "";
  return "there is no command \"" + name + "\"; the commands are " + known +
         " (see limelight --help)";
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "limelight");
  app.set_version_flag("--version", std::string("limelight ") + LIMELIGHT_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  int exit_status = cli::kSuccess;
  cli::add_explain_command(app, exit_status);
  cli::add_attention_command(app, exit_status);
  cli::add_senses_command(app, exit_status);
  cli::add_train_command(app, exit_status);
  cli::add_cpu_command(app, exit_status);
  if (argc == 1) {
    std::fputs(app.help().c_str(), stdout);
    return cli::kSuccess;
  }
  if (const std::string wrong = unknown_command(app, argv[1]); !wrong.empty()) {
    complain(wrong);
    return cli::kMistake;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help and --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    complain(std::string(error.what()) + " (see limelight --help)");
    return cli::kMistake;
  }
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cli::Mistake& mistake) {
    complain(mistake.what());
  } catch (const Error& error) {
    complain(error.what());
  } catch (const std::bad_alloc&) {
    complain("not enough memory: try a smaller text, batch or model");
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return cli::kMistake;
}
