#include "checkpoint/closest_names.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace limelight {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kMostCandidates = 5000;

/// Levenshtein's distance, one row of its table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> closest_names(std::string_view wanted,
                                       const std::vector<std::string>& candidates,
                                       std::size_t count) {
  if (wanted.size() > kLongestName) return {};
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& candidate : candidates) {
    if (ranked.size() == kMostCandidates) break;
    if (candidate.size() > kLongestName) continue;
    ranked.emplace_back(edit_distance(wanted, candidate), candidate);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (auto& [distance, name] : ranked) {
    if (names.size() == count) break;
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace limelight
