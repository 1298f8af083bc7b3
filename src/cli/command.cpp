#include "cli/command.h"

#include <omp.h>

namespace limelight::cli {
namespace {

namespace fs = std::filesystem;

/// `relative` in the source tree, else under share/limelight next to the program's bin folder.
fs::path find_shipped(const fs::path& relative) {
  fs::path in_tree = fs::path(LIMELIGHT_SOURCE_TREE) / relative;
  std::error_code error;
  if (fs::exists(in_tree, error)) return in_tree;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    fs::path installed = program.parent_path().parent_path() / "share" / "limelight" / relative;
    if (fs::exists(installed, error)) return installed;
  }
  return in_tree;
}

}  // namespace

fs::path built_in_model() { return find_shipped(fs::path("models") / "lantern"); }
fs::path built_in_senses() { return find_shipped(fs::path("data") / "senses"); }

fs::path model_folder(const std::string& asked) {
  return asked.empty() ? built_in_model() : fs::path(asked);
}

void add_threads_option(CLI::App& command) {
  command
      .add_option_function<int>(
          "--threads", [](int threads) { omp_set_num_threads(threads); },
          "Threads to compute on (default: OMP_NUM_THREADS, else one for each core)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
}

}  // namespace limelight::cli
