#pragma once

#include <limelight/attention.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "attention/dropout.h"
#include "attention/shape.h"

namespace limelight {

/// Keys begin to end - 1.
struct KeyRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  bool empty() const { return begin >= end; }
  bool contains(std::int64_t key) const { return begin <= key && key < end; }
  bool contains(const KeyRange& other) const { return begin <= other.begin && other.end <= end; }
};

/// Queries and keys that see each other: a batch item, or one sequence of a ragged batch. Queries
/// and keys of a sequence are counted from its own first one; `first_query` and `first_key` say
/// where these stand in the tensors.
struct Sequence {
  std::int64_t index = 0;  ///< among the sequences
  std::int64_t batch = 0;  ///< of the tensors
  std::int64_t first_query = 0;
  std::int64_t q_len = 0;
  std::int64_t first_key = 0;
  std::int64_t kv_len = 0;
  /// Query i stands beside key i + first_place; 0 where no option speaks of places.
  std::int64_t first_place = 0;
};

/// How much of a tile (some queries times some keys) can be seen.
enum class TileCover : std::uint8_t { empty, partial, full };

/// A tensor read as if it had axes [batch, head, query, key]: a stride is 0 where it broadcasts.
struct BroadcastView {
  BroadcastView() = default;
  explicit BroadcastView(ConstTensorView view);

  bool given() const { return data != nullptr; }
  std::int64_t offset(std::int64_t batch, std::int64_t head, std::int64_t query,
                      std::int64_t key) const {
    return batch * strides[0] + head * strides[1] + query * strides[2] + key * strides[3];
  }

  const void* data = nullptr;
  DType dtype = DType::f32;
  std::array<std::int64_t, 4> strides{};
};

/// Every mask of a call as one: who sees whom, and what is added to a score. Masks of two kinds:
/// those that leave each query a range of keys (causal, window, lengths, ragged batches), and those
/// that are looked up key by key (boolean mask, -infinity in the bias, documents).
///
/// Invariant: a query's range neither begins nor ends before that of the query before it, so that
/// the ranges of a block of queries are bounded by its first and last query's.
///
/// Immutable; safe from several threads. Refers to the memory of the options' tensors.
class Visibility {
 public:
  /// REQUIRES: shape and options have been checked (check_arguments.h).
  Visibility(const AttentionShape& shape, const AttentionOptions& options);

  const std::vector<Sequence>& sequences() const { return sequences_; }

  /// The keys that the first kind of masks leaves to a query. Empty ranges may begin anywhere.
  KeyRange range(const Sequence& sequence, std::int64_t query) const;

  /// Whether masks of the second kind are there: then a key in range need not be visible.
  bool looks_up_keys() const { return mask_.given() || bias_.given() || query_documents_.given(); }
  /// Whether visible scores have something added to them.
  bool adds_to_scores() const { return bias_.given() || alibi_slopes_.given(); }

  /// By all masks together.
  bool visible(const Sequence& sequence, std::int64_t head, std::int64_t query,
               std::int64_t key) const;

  /// What is added to a score: bias and ALiBi. REQUIRES: visible.
  double added(const Sequence& sequence, std::int64_t head, std::int64_t query,
               std::int64_t key) const;

  /// What a weight is multiplied by after the softmax: 1 without dropout.
  double dropout_factor(const Sequence& sequence, std::int64_t head, std::int64_t query,
                        std::int64_t key) const;
  /// Null without dropout.
  const DropoutMask* dropout() const { return dropout_ ? &*dropout_ : nullptr; }
  /// What DropoutMask knows a sequence's head by.
  std::int64_t dropout_row(const Sequence& sequence, std::int64_t head) const {
    return sequence.index * num_heads_ + head;
  }

  /// The same for a row of keys at once, for the fused kernels: row[j - keys.begin] becomes what is
  /// added to the score of key j in f32, -infinity where a mask of the second kind hides it.
  /// Returns whether any is not hidden. REQUIRES: keys lie within the sequence.
  bool fill_additions(const Sequence& sequence, std::int64_t head, std::int64_t query,
                      KeyRange keys, float* row) const;

  /// How much of queries [query_begin, query_end) times `keys` is visible to a head. `partial` is
  /// always a right answer for masks of the second kind, and given where finding out would take
  /// longer than computing.
  TileCover cover(const Sequence& sequence, std::int64_t head, std::int64_t query_begin,
                  std::int64_t query_end, KeyRange keys) const;

  /// The first place of bias that belongs to (batch, head, query, key), in elements.
  const BroadcastView& bias() const { return bias_; }

 private:
  TileCover cover_of_ranges(const Sequence& sequence, std::int64_t query_begin,
                            std::int64_t query_end, KeyRange keys) const;
  bool looked_up_visible(const Sequence& sequence, std::int64_t head, std::int64_t query,
                         std::int64_t key) const;

  std::int64_t num_heads_;
  std::vector<Sequence> sequences_;
  std::int64_t left_;   ///< keys before a query's place that it sees; kEverything: all
  std::int64_t right_;  ///< keys after it
  BroadcastView mask_;
  BroadcastView bias_;
  BroadcastView alibi_slopes_;  ///< along batch and head only
  BroadcastView query_documents_;
  BroadcastView key_documents_;
  std::optional<DropoutMask> dropout_;
};

/// sinks[head], -infinity where there are none.
double sink_of(const AttentionOptions& options, std::int64_t head);

}  // namespace limelight
