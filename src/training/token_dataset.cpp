#include "training/token_dataset.h"

#include <limelight/error.h>

#include <algorithm>
#include <string>

#include "base/counter_random.h"

namespace limelight {
namespace {

void resize(Batch& batch, std::int64_t batch_size, std::int64_t length) {
  batch.batch = batch_size;
  batch.length = length;
  batch.ids.resize(static_cast<std::size_t>(batch_size * length));
  batch.targets.resize(static_cast<std::size_t>(batch_size * length));
}

}  // namespace

TokenDataset::TokenDataset(std::vector<std::int32_t> tokens, std::int32_t end_of_text)
    : tokens_(std::move(tokens)) {
  if (end_of_text < 0) return;
  document_starts_.push_back(0);
  for (std::int64_t i = 0; i + 1 < size(); ++i) {
    if (tokens_[static_cast<std::size_t>(i)] == end_of_text) document_starts_.push_back(i + 1);
  }
}

std::int64_t TokenDataset::last_start(std::int64_t length) const {
  const std::int64_t last = size() - length - 1;
  if (last < 0) {
    throw Error("text: expected at least " + std::to_string(length + 1) +
                " tokens (one window and the token after it), got " + std::to_string(size()));
  }
  return last;
}

void TokenDataset::fill_row(std::int64_t row, std::int64_t start, Batch& batch) const {
  const auto first = tokens_.begin() + start;
  std::copy(first, first + batch.length, batch.ids.begin() + row * batch.length);
  std::copy(first + 1, first + 1 + batch.length, batch.targets.begin() + row * batch.length);
}

void TokenDataset::draw(std::uint64_t seed, std::uint64_t draw_index, std::int64_t batch_size,
                        std::int64_t length, Batch& batch) const {
  const std::int64_t last = last_start(length);
  const auto end = std::upper_bound(document_starts_.begin(), document_starts_.end(), last);
  const auto usable = static_cast<std::uint64_t>(end - document_starts_.begin());
  resize(batch, batch_size, length);
  for (std::int64_t row = 0; row < batch_size; ++row) {
    const std::uint64_t counter =
        draw_index * static_cast<std::uint64_t>(batch_size) + static_cast<std::uint64_t>(row);
    const std::int64_t start = usable > 1
                                   ? document_starts_[random_below(seed, counter, usable)]
                                   : static_cast<std::int64_t>(random_below(
                                         seed, counter, static_cast<std::uint64_t>(last) + 1));
    fill_row(row, start, batch);
  }
}

void TokenDataset::spread(std::int64_t index, std::int64_t count, std::int64_t batch_size,
                          std::int64_t length, Batch& batch) const {
  const std::int64_t last = last_start(length);
  const std::int64_t windows = count * batch_size;
  resize(batch, batch_size, length);
  for (std::int64_t row = 0; row < batch_size; ++row) {
    const std::int64_t window = index * batch_size + row;
    fill_row(row, windows > 1 ? last * window / (windows - 1) : 0, batch);
  }
}

std::uint64_t TokenDataset::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::int32_t token : tokens_) {
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace limelight
