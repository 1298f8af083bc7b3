#include "attention/kernels/simd/decode_readings.h"

#include <map>

#include "base/parallel.h"

namespace limelight::simd {
namespace {

/// What tells the rows of the cache that a sequence finds in a chunk: how many, and the blocks that
/// they lie in.
std::vector<std::int64_t> place_in_cache(const CacheRows& cache, const Sequence& sequence,
                                         std::int64_t chunk) {
  const std::int64_t begin = chunk * kDecodeChunk;
  const std::int64_t end = std::min(begin + kDecodeChunk, sequence.kv_len);
  std::vector<std::int64_t> place = {end};
  for (std::int64_t i = begin / cache.block_size(); i * cache.block_size() < end; ++i) {
    place.push_back(cache.block(sequence.batch, i));
  }
  return place;
}

/// Those who read the same rows of a chunk together.
struct Readers {
  std::int64_t chunk;
  std::vector<const Sequence*> sequences;
};

/// Chunk after chunk.
std::vector<Readers> list_readers(const DecodeCall& call, const CacheRows& cache) {
  const std::vector<Sequence>& sequences = call.visibility.sequences();
  std::int64_t chunks = 0;
  for (const Sequence& sequence : sequences) {
    chunks = std::max(chunks, chunks_of(call.visibility, sequence).end);
  }
  std::vector<Readers> readers;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    std::map<std::vector<std::int64_t>, std::vector<const Sequence*>> of_place;
    for (const Sequence& sequence : sequences) {
      if (!chunks_of(call.visibility, sequence).contains(chunk)) continue;
      of_place[place_in_cache(cache, sequence, chunk)].push_back(&sequence);
    }
    for (const auto& [place, together] : of_place) readers.push_back({chunk, together});
  }
  return readers;
}

}  // namespace

KeyRange chunks_of(const Visibility& visibility, const Sequence& sequence) {
  const std::int64_t begin = visibility.range(sequence, 0).begin;
  const std::int64_t end = visibility.range(sequence, sequence.q_len - 1).end;
  return begin < end ? KeyRange{begin / kDecodeChunk, ceil_div(end, kDecodeChunk)} : KeyRange{};
}

std::vector<Reading> list_readings(const DecodeCall& call, const CacheRows& cache) {
  const std::vector<Readers> readers = list_readers(call, cache);
  std::vector<Reading> readings;
  for (std::int64_t kv_head = 0; kv_head < call.shape.num_kv_heads; ++kv_head) {
    for (const auto& [chunk, together] : readers) readings.push_back({kv_head, chunk, together});
  }
  // Contiguous, a head's pieces follow each other; in blocks, and where rows of all heads stand
  // side by side, the heads of one piece do.
  const ConstTensorView& key = call.arguments.cache.key;
  if (key.stride(1) < kDecodeChunk * key.stride(2)) {
    std::ranges::stable_sort(readings, {}, &Reading::chunk);
  }
  return readings;
}

}  // namespace limelight::simd
