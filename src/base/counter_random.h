#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace limelight {

/// Random numbers as a function of (seed, counter): no state to save, no order to keep, the same
/// bits from any thread. The mixer is SplitMix64's (Steele, Lea and Flood 2014), applied to seed
/// and counter.
inline std::uint64_t random_bits(std::uint64_t seed, std::uint64_t counter) {
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15u;
  return mix(mix(seed + kGolden) + (counter + 1) * kGolden);
}

/// Uniform in [0, limit), for limit far below 2^32 without a bias that could be seen.
inline std::uint64_t random_below(std::uint64_t seed, std::uint64_t counter, std::uint64_t limit) {
  return (random_bits(seed, counter) >> 11) % limit;
}

/// Uniform in (0, 1).
inline double random_uniform(std::uint64_t seed, std::uint64_t counter) {
  return (static_cast<double>(random_bits(seed, counter) >> 11) + 0.5) * 0x1p-53;
}

/// Standard normal (Box and Muller 1958).
inline double random_normal(std::uint64_t seed, std::uint64_t counter) {
  const double radius = std::sqrt(-2 * std::log(random_uniform(seed, 2 * counter)));
  return radius * std::cos(2 * std::numbers::pi * random_uniform(seed, 2 * counter + 1));
}

}  // namespace limelight
