#pragma once

#include <cstdint>
#include <random>

namespace limelight {

/// Draws that are the same on every platform: the standard fixes what mt19937_64 yields, but not
/// what its distributions make of it.
class RandomDraws {
 public:
  /// Streams of one seed are independent of each other, so that text number 7 does not depend on
  /// how much was drawn for text number 6.
  RandomDraws(std::uint64_t seed, std::uint64_t stream)
      : engine_(scramble(seed ^ scramble(stream))) {}

  /// Uniform in [0, limit). REQUIRES: limit > 0.
  std::uint64_t below(std::uint64_t limit) {
    const std::uint64_t unfair = (0 - limit) % limit;  // 2^64 mod limit
    std::uint64_t drawn = engine_();
    while (drawn < unfair) drawn = engine_();
    return drawn % limit;
  }

  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  /// Sebastiano Vigna's splitmix64 step: neighbouring seeds become unrelated ones.
  static std::uint64_t scramble(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  std::mt19937_64 engine_;
};

}  // namespace limelight
