#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace limelight {

/// Token ids and, for each position, the id that follows: [batch, length] each.
struct Batch {
  std::int64_t batch = 0;
  std::int64_t length = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;
};

/// A long row of tokens from which batches are drawn. A draw is a function of its arguments alone,
/// so a resumed run sees what an uninterrupted one would have.
class TokenDataset {
 public:
  /// Windows start where a document starts: after an `end_of_text` id, and at the beginning. With
  /// fewer than two documents, or end_of_text = -1, anywhere.
  TokenDataset(std::vector<std::int32_t> tokens, std::int32_t end_of_text);

  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  std::span<const std::int32_t> tokens() const { return tokens_; }

  /// Throws Error when there are not length + 1 tokens. Resizes `batch`.
  void draw(std::uint64_t seed, std::uint64_t draw_index, std::int64_t batch_size,
            std::int64_t length, Batch& batch) const;

  /// The `index`-th of `count` batches of windows spread evenly over the tokens: for validation.
  void spread(std::int64_t index, std::int64_t count, std::int64_t batch_size, std::int64_t length,
              Batch& batch) const;

  /// A fingerprint (FNV-1a, 64 bits) of the tokens.
  std::uint64_t fingerprint() const;

 private:
  void fill_row(std::int64_t row, std::int64_t start, Batch& batch) const;
  std::int64_t last_start(std::int64_t length) const;

  std::vector<std::int32_t> tokens_;
  std::vector<std::int64_t> document_starts_;
};

}  // namespace limelight
