#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "attention/decode/decode_call.h"
#include "attention/kernels/simd/tile_sizes.h"

namespace limelight::simd {

/// Keys of a tile: with head_dim 128 its values are 16 KiB in bf16, half of L1.
inline constexpr std::int64_t kDecodeTile = 64;
/// Keys of a piece of work, and of what sequences must share to be read together: a piece of 512
/// keys writes less than a hundredth of what it reads.
inline constexpr std::int64_t kDecodeChunk = 8 * kDecodeTile;
static_assert(kDecodeTile % kLaneMultiple == 0);
/// Pieces that a thread takes one after the other, asking for each while it computes the one
/// before: where it begins anew it waits for memory. Fewer where threads would wait for the last
/// task: then each thread has at least eight.
inline constexpr std::int64_t kReadingsOfTask = 16;

/// A piece of work: a chunk of keys of one key head, for all sequences that find the same rows of
/// the cache there.
struct Reading {
  std::int64_t kv_head, chunk;
  std::vector<const Sequence*> sequences;
};

/// The tiles of some readings, one after the other.
class TilesOfReadings {
 public:
  explicit TilesOfReadings(std::span<const Reading> readings)
      : next_(readings.begin()), end_(readings.end()) {
    if (!done()) enter();
  }
  bool done() const { return next_ == end_; }
  const Reading& reading() const { return *next_; }
  KeyRange keys() const { return {key_, std::min(key_ + kDecodeTile, chunk_.end)}; }
  bool begins_reading() const { return key_ == chunk_.begin; }

  void advance() {
    key_ += kDecodeTile;
    if (key_ >= chunk_.end && ++next_ != end_) enter();
  }

 private:
  void enter() {
    key_ = next_->chunk * kDecodeChunk;
    chunk_ = {key_, std::min(key_ + kDecodeChunk, next_->sequences.front()->kv_len)};
  }

  std::span<const Reading>::iterator next_, end_;
  KeyRange chunk_;
  std::int64_t key_ = 0;
};

/// The chunks that hold a key which some query of the sequence may see.
KeyRange chunks_of(const Visibility& visibility, const Sequence& sequence);

/// All there is to read for a call, in the order in which it mostly lies in memory.
std::vector<Reading> list_readings(const DecodeCall& call, const CacheRows& cache);

}  // namespace limelight::simd
