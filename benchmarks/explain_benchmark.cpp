// `limelight explain` on a sentence of twelve words as a whole process: from its start to its end,
// and the most memory that it held.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

extern char** environ;

namespace {

struct Run {
  double milliseconds = 0;
  double mebibytes = 0;
  bool succeeded = false;
};

Run run_once(const std::string& program) {
  std::vector<std::string> words = {program, "explain",
                                    "The lamp on the old table near the window gave a warm light"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return {};
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  const std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  return {elapsed.count(), static_cast<double>(usage.ru_maxrss) / 1024,
          WIFEXITED(status) && WEXITSTATUS(status) == 0};
}

}  // namespace

int main(int, char** argv) {
  const auto program = std::filesystem::path(argv[0]).parent_path().parent_path() / "limelight";
  constexpr int kRuns = 21;
  std::vector<double> times;
  double memory = 0;
  for (int i = 0; i < kRuns; ++i) {
    const Run run = run_once(program.string());
    if (!run.succeeded) {
      fmt::print(stderr, "explain_benchmark: {} explain did not succeed\n", program.string());
      return 1;
    }
    times.push_back(run.milliseconds);
    memory = std::max(memory, run.mebibytes);
  }
  std::sort(times.begin(), times.end());
  fmt::print("limelight explain, 12 words, whole process, {} runs\n", kRuns);
  fmt::print("{:>12.1f} ms median ({:.1f} to {:.1f})\n{:>12.1f} MiB at most\n", times[kRuns / 2],
             times.front(), times.back(), memory);
}
