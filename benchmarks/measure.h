#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace limelight::bench {

/// What repeating a piece of work took. The median is what to report; the fastest is what to
/// compare a ceiling with on a machine that others use too.
struct Seconds {
  double median = 0;
  double fastest = 0;
};

inline constexpr int kRepetitions = 7;
inline constexpr double kLeastSeconds =
    0.03;  ///< of one repetition, so that the clock does not matter

inline double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

/// Times body() once warm: as many calls a repetition as fill kLeastSeconds, kRepetitions of them.
/// Both results are for one call.
template <class Body>
Seconds measure(const Body& body, int repetitions = kRepetitions) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_of = [&](long calls) {
    const auto start = Clock::now();
    for (long i = 0; i < calls; ++i) body();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  body();
  long calls = 1;
  double once = seconds_of(calls);
  while (once < kLeastSeconds) {
    calls *= 2;
    once = seconds_of(calls);
  }
  std::vector<double> times = {once};
  while (static_cast<int>(times.size()) < repetitions) times.push_back(seconds_of(calls));
  return {median(times) / static_cast<double>(calls),
          *std::min_element(times.begin(), times.end()) / static_cast<double>(calls)};
}

}  // namespace limelight::bench
