#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace limelight {

/// A weight and its key.
template <class T>
struct WeightedKey {
  T weight;
  std::int64_t key;

  /// The order of a row's list: NaN first, then the larger weight, then the smaller key.
  friend bool operator<(const WeightedKey& a, const WeightedKey& b) {
    const bool a_nan = std::isnan(a.weight);
    const bool b_nan = std::isnan(b.weight);
    if (a_nan != b_nan) return a_nan;
    if (!a_nan && a.weight != b.weight) return a.weight > b.weight;
    return a.key < b.key;
  }
};

/// The first k of the weights offered, in other memory. A heap with the last of them on top, which
/// is the first to go.
template <class T>
struct TopList {
  WeightedKey<T>* entries;
  std::int64_t k;
  std::int64_t count = 0;

  /// What a weight has to exceed, or be NaN, to be worth offering.
  T threshold() const { return count < k ? T(0) : entries[0].weight; }

  void offer(WeightedKey<T> candidate) {
    if (count == k) {
      if (k == 0 || !(candidate < entries[0])) return;
      std::pop_heap(entries, entries + count);
      --count;
    }
    entries[count++] = candidate;
    std::push_heap(entries, entries + count);
  }

  /// To be called once, at the end.
  void sort() { std::sort_heap(entries, entries + count); }
};

}  // namespace limelight
