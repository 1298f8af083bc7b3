#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace limelight {

/// A pair of neighbouring tokens as one number.
constexpr std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

/// Merges the bytes of a piece, the pair learned first before all others, until no pair is in the
/// table. Immutable after construction; safe to use from several threads.
class BpeEncoder {
 public:
  struct Merge {
    std::int32_t left, right, merged;
  };

  /// `byte_ids`: the token of each byte. `merges` in the order learned; of two for the same pair
  /// the first counts.
  BpeEncoder(const std::array<std::int32_t, 256>& byte_ids, std::vector<Merge> merges);

  const std::vector<Merge>& merges() const { return merges_; }

  /// Appends the tokens of the piece. Takes O(n log n) for a piece of n bytes.
  void encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const;

 private:
  std::array<std::int32_t, 256> byte_ids_;
  std::vector<Merge> merges_;
  std::unordered_map<std::uint64_t, std::int32_t> ranks_;  ///< pair_key -> index in merges_
};

}  // namespace limelight
