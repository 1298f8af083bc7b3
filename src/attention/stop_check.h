#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace limelight {

/// AttentionOptions::should_stop as all threads of one call see it. The caller's function runs on
/// the calling thread alone, and seldom: it may have to wait for a lock.
class StopCheck {
 public:
  static constexpr std::chrono::milliseconds kInterval{50};

  /// Made on the calling thread. Refers to `should_stop`.
  explicit StopCheck(const std::function<bool()>& should_stop)
      : should_stop_(should_stop),
        given_(should_stop != nullptr),
        next_question_(Clock::now() + kInterval) {}

  /// To be looked at between pieces of work, on any thread. Once true, always true.
  bool stopped() const {
    if (!given_) return false;
    if (!stopped_.load(std::memory_order_relaxed) && std::this_thread::get_id() == caller_) ask();
    return stopped_.load(std::memory_order_relaxed);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void ask() const {
    if (Clock::now() < next_question_) return;
    if (should_stop_()) stopped_.store(true, std::memory_order_relaxed);
    next_question_ = Clock::now() + kInterval;
  }

  const std::function<bool()>& should_stop_;
  const bool given_;
  const std::thread::id caller_ = std::this_thread::get_id();
  mutable Clock::time_point next_question_;  ///< read and written by the calling thread alone
  mutable std::atomic<bool> stopped_ = false;
};

}  // namespace limelight
