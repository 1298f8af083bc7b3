#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace limelight {
namespace {

/// A distinct piece of the texts, as tokens, and how often it is met.
struct Word {
  std::vector<std::int32_t> ids;
  std::int64_t count;
};

/// A pair with the count that it had when it was queued.
struct Candidate {
  std::int64_t count;
  std::uint64_t key;

  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : key > other.key;
  }
};

class Learner {
 public:
  explicit Learner(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) count_pairs(w, +1);
    for (const auto& [key, count] : counts_) queue_.push({count, key});
  }

  /// The most frequent pair; false when none is met twice.
  bool next(std::uint64_t& key) {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto now = counts_.find(best.key);
      if (now == counts_.end() || now->second != best.count) continue;  // an outdated entry
      if (best.count < 2) return false;
      key = best.key;
      return true;
    }
    return false;
  }

  void merge(std::uint64_t key, std::int32_t merged) {
    const auto left = static_cast<std::int32_t>(key >> 32);
    const auto right = static_cast<std::int32_t>(key & 0xffffffffu);
    changed_.clear();
    const std::unordered_set<std::size_t> places = std::move(places_[key]);
    places_.erase(key);
    for (const std::size_t w : places) {
      count_pairs(w, -1);
      std::vector<std::int32_t>& ids = words_[w].ids;
      std::size_t to = 0;
      for (std::size_t from = 0; from < ids.size(); ++from, ++to) {
        const bool here = ids[from] == left && from + 1 < ids.size() && ids[from + 1] == right;
        ids[to] = here ? merged : ids[from];
        if (here) ++from;
      }
      ids.resize(to);
      count_pairs(w, +1);
    }
    for (const std::uint64_t pair : changed_) {
      const auto now = counts_.find(pair);
      if (now->second > 0) {
        queue_.push({now->second, pair});
      } else {
        counts_.erase(now);
        places_.erase(pair);
      }
    }
  }

 private:
  void count_pairs(std::size_t w, int sign) {
    const Word& word = words_[w];
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i) {
      const std::uint64_t key = pair_key(word.ids[i], word.ids[i + 1]);
      counts_[key] += sign * word.count;
      if (sign > 0) places_[key].insert(w);
      changed_.insert(key);
    }
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, std::int64_t> counts_;
  /// The words in which a pair was seen; some may hold it no longer.
  std::unordered_map<std::uint64_t, std::unordered_set<std::size_t>> places_;
  std::unordered_set<std::uint64_t> changed_;
  std::priority_queue<Candidate> queue_;
};

std::vector<Word> distinct_words(const std::vector<std::string_view>& texts,
                                 const PieceSplitter& splitter) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  for (const std::string_view text : texts) {
    splitter.split(text, [&](std::string_view piece) { ++counts[piece]; });
  }
  std::vector<Word> words;
  words.reserve(counts.size());
  for (const auto& [piece, count] : counts) {
    Word word{{}, count};
    for (const char c : piece) word.ids.push_back(static_cast<unsigned char>(c));
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace

std::vector<BpeEncoder::Merge> learn_merges(const std::vector<std::string_view>& texts,
                                            const PieceSplitter& splitter, int count,
                                            const std::function<void(int, int)>& progress) {
  Learner learner(distinct_words(texts, splitter));
  std::vector<BpeEncoder::Merge> merges;
  std::uint64_t key = 0;
  while (static_cast<int>(merges.size()) < count && learner.next(key)) {
    const auto merged = static_cast<std::int32_t>(256 + merges.size());
    learner.merge(key, merged);
    merges.push_back({static_cast<std::int32_t>(key >> 32),
                      static_cast<std::int32_t>(key & 0xffffffffu), merged});
    if (progress && merges.size() % 64 == 0) progress(static_cast<int>(merges.size()), count);
  }
  return merges;
}

}  // namespace limelight
