#pragma once

#include <atomic>
#include <csignal>
#include <thread>

namespace limelight::cli {

/// While it lives, the first Ctrl-C (or SIGTERM) only asks for an orderly end, and the second ends
/// the process at once.
///
/// The signals are taken by a thread of their own, never by a handler on a thread that computes:
/// oneDNN's generated code uses the stack pointer as one more register, and the kernel would write
/// the handler's frame over whatever it points to.
/// REQUIRES: made before the process's first parallel loop (threads inherit what they block).
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  const std::atomic<bool>& requested() const { return requested_; }

 private:
  void watch();

  sigset_t signals_;
  sigset_t blocked_before_;
  std::atomic<bool> requested_ = false;
  std::atomic<bool> over_ = false;
  std::thread watcher_;
};

}  // namespace limelight::cli
