#include "tokenizer/bpe_encoder.h"

#include <queue>

namespace limelight {
namespace {

/// A piece as a doubly linked list of tokens; a merge removes its right half from the list.
struct Node {
  std::int32_t id;
  std::int32_t previous, next;  ///< -1 at the ends
  bool alive = true;
};

/// A pair that could be merged when it was found; what stands there may have changed since.
struct Candidate {
  std::int32_t rank;
  std::int32_t position;  ///< of the left half: equal pairs merge from left to right
  std::uint64_t key;

  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

}  // namespace

BpeEncoder::BpeEncoder(const std::array<std::int32_t, 256>& byte_ids, std::vector<Merge> merges)
    : byte_ids_(byte_ids), merges_(std::move(merges)) {
  ranks_.reserve(2 * merges_.size());
  for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
    ranks_.emplace(pair_key(merges_[rank].left, merges_[rank].right),
                   static_cast<std::int32_t>(rank));
  }
}

void BpeEncoder::encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  const auto count = static_cast<std::int32_t>(piece.size());
  std::vector<Node> nodes;
  nodes.reserve(piece.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
    nodes.push_back({byte_ids_[byte], i - 1, i + 1 < count ? i + 1 : -1});
  }
  const auto node = [&](std::int32_t at) -> Node& { return nodes[static_cast<std::size_t>(at)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::int32_t left) {
    if (left < 0 || node(left).next < 0) return;
    const std::uint64_t key = pair_key(node(left).id, node(node(left).next).id);
    if (const auto rank = ranks_.find(key); rank != ranks_.end()) {
      candidates.push({rank->second, left, key});
    }
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Node& left = node(best.position);
    if (!left.alive || left.next < 0) continue;
    Node& right = node(left.next);
    if (pair_key(left.id, right.id) != best.key) continue;
    left.id = merges_[static_cast<std::size_t>(best.rank)].merged;
    right.alive = false;
    left.next = right.next;
    if (right.next >= 0) node(right.next).previous = best.position;
    consider(left.previous);
    consider(best.position);
  }
  for (std::int32_t at = 0; at >= 0 && at < count; at = node(at).next) ids.push_back(node(at).id);
}

}  // namespace limelight
