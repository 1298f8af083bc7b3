#include "cli/stop_signals.h"

#include <pthread.h>

namespace limelight::cli {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &blocked_before_);
  watcher_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
  over_ = true;
  pthread_kill(watcher_.native_handle(), SIGINT);
  watcher_.join();
  pthread_sigmask(SIG_SETMASK, &blocked_before_, nullptr);
}

void StopSignals::watch() {
  int signal = 0;
  while (sigwait(&signals_, &signal) == 0 && !over_) {
    if (requested_.exchange(true)) {
      // The default action ends the process without a handler.
      pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
      raise(signal);
    }
  }
}

}  // namespace limelight::cli
