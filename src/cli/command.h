#pragma once

#include <limelight/result.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace limelight::cli {

/// Exit statuses. A mistake of the person's is one line on stderr and kMistake.
inline constexpr int kSuccess = 0;
inline constexpr int kMistake = 2;
inline constexpr int kDisproved = 3;      ///< an invariant of the run did not hold
inline constexpr int kInterrupted = 130;  ///< 128 + SIGINT, as shells expect

/// Ends a command: caught in main, which prints "limelight: MESSAGE" and exits with kMistake.
class Mistake : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The value, or a Mistake with the failure's message.
template <class T>
T value_or_mistake(Result<T> result) {
  if (!result) throw Mistake(result.message());
  return std::move(*result);
}

/// Each adds its subcommand; when it is chosen, `exit_status` is what it returned.
void add_attention_command(CLI::App& app, int& exit_status);
void add_cpu_command(CLI::App& app, int& exit_status);
void add_explain_command(CLI::App& app, int& exit_status);
void add_senses_command(CLI::App& app, int& exit_status);
void add_train_command(CLI::App& app, int& exit_status);

/// The folder of the built-in model, lantern: models/lantern in the source tree that the program
/// was built in, else share/limelight/models/lantern beside the folder of the installed program.
std::filesystem::path built_in_model();
/// The sense grammar, found in the same way.
std::filesystem::path built_in_senses();

/// Adds --threads N to a command.
void add_threads_option(CLI::App& command);

}  // namespace limelight::cli
