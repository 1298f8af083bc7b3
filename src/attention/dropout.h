#pragma once

#include <limelight/attention.h>

#include <array>
#include <cmath>
#include <cstdint>

namespace limelight {

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::array<std::uint32_t, 2> kPhiloxFactors = {0xD2511F53u, 0xCD9E8D57u};
inline constexpr std::array<std::uint32_t, 2> kPhiloxKeySteps = {0x9E3779B9u, 0xBB67AE85u};

/// Ten rounds of Philox 4x32 (Salmon, Moraes, Dror and Shaw 2011): four random words as a function
/// of a counter and a key.
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                               std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t first = std::uint64_t{kPhiloxFactors[0]} * counter[0];
    const std::uint64_t second = std::uint64_t{kPhiloxFactors[1]} * counter[2];
    counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(second),
               static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(first)};
    key[0] += kPhiloxKeySteps[0];
    key[1] += kPhiloxKeySteps[1];
  }
  return counter;
}

/// What each weight is multiplied by: 0, or 1 / (1 - probability).
class DropoutMask {
 public:
  explicit DropoutMask(const Dropout& dropout)
      : key_{static_cast<std::uint32_t>(dropout.seed),
             static_cast<std::uint32_t>(dropout.seed >> 32)},
        stream_(dropout.stream),
        dropped_below_(static_cast<std::uint32_t>(std::floor(dropout.probability * 0x1p32))),
        kept_scale_(1 / (1 - dropout.probability)) {}

  /// `row` tells heads and batch items apart. One block of four words serves four keys.
  double factor(std::int64_t row, std::int64_t query, std::int64_t key) const {
    const auto words =
        philox4x32({static_cast<std::uint32_t>(key >> 2), static_cast<std::uint32_t>(query),
                    static_cast<std::uint32_t>(row), stream_},
                   key_);
    return words[static_cast<std::size_t>(key & 3)] < dropped_below_ ? 0 : kept_scale_;
  }

  // What the fused kernels draw many factors at once from.
  const std::array<std::uint32_t, 2>& key() const { return key_; }
  std::uint32_t stream() const { return stream_; }
  std::uint32_t dropped_below() const { return dropped_below_; }
  double kept_scale() const { return kept_scale_; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t stream_;
  std::uint32_t dropped_below_;
  double kept_scale_;
};

}  // namespace limelight
