#include "attention/memory_overlap.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace limelight {
namespace {

/// coefficient * x for some whole x in [0, most].
struct Term {
  std::int64_t coefficient;
  std::int64_t most;
};

bool has_no_elements(ConstTensorView view) { return view.elements() == 0; }

/// Bytes from the first element's first to the last element's last.
std::int64_t span_in_bytes(ConstTensorView view) {
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  std::int64_t last = 0;
  for (int axis = 0; axis < view.rank(); ++axis) last += (view.size(axis) - 1) * view.stride(axis);
  return (last + 1) * width;
}

void append_axes(ConstTensorView view, std::vector<Term>& terms) {
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  for (int axis = 0; axis < view.rank(); ++axis) {
    if (view.size(axis) > 1 && view.stride(axis) > 0) {
      terms.push_back({view.stride(axis) * width, view.size(axis) - 1});
    }
  }
  if (width > 1) terms.push_back({1, width - 1});
}

/// Largest coefficient first, equal coefficients joined.
void sort_and_join(std::vector<Term>& terms) {
  std::sort(terms.begin(), terms.end(),
            [](const Term& a, const Term& b) { return a.coefficient > b.coefficient; });
  std::vector<Term> joined;
  for (const Term& term : terms) {
    if (!joined.empty() && joined.back().coefficient == term.coefficient) {
      joined.back().most += term.most;
    } else {
      joined.push_back(term);
    }
  }
  terms = std::move(joined);
}

/// Looks for x with sum of coefficient * x = target, largest coefficient first. What the remaining
/// terms can reach, and the divisor that all of them have in common, leave few x to try.
class BoundedSum {
 public:
  explicit BoundedSum(std::vector<Term> terms) : terms_(std::move(terms)) {
    reach_.assign(terms_.size() + 1, 0);
    divisor_.assign(terms_.size() + 1, 0);
    for (std::size_t i = terms_.size(); i-- > 0;) {
      reach_[i] = reach_[i + 1] + terms_[i].coefficient * terms_[i].most;
      divisor_[i] = std::gcd(divisor_[i + 1], terms_[i].coefficient);
    }
  }

  /// True also when the search was given up.
  bool may_reach(std::int64_t target) { return search(0, target); }

 private:
  static constexpr int kMostSteps = 100'000;

  bool search(std::size_t i, std::int64_t target) {
    if (target < 0 || target > reach_[i]) return false;
    if (i == terms_.size()) return true;
    if (target % divisor_[i] != 0) return false;
    if (++steps_ > kMostSteps) return true;
    const auto [coefficient, most] = terms_[i];
    const std::int64_t largest = std::min(most, target / coefficient);
    const std::int64_t beyond_reach = std::max<std::int64_t>(target - reach_[i + 1], 0);
    const std::int64_t smallest = (beyond_reach + coefficient - 1) / coefficient;
    for (std::int64_t x = largest; x >= smallest; --x) {
      if (search(i + 1, target - coefficient * x)) return true;
    }
    return false;
  }

  std::vector<Term> terms_;
  std::vector<std::int64_t> reach_;    ///< the largest sum of terms i and after
  std::vector<std::int64_t> divisor_;  ///< common divisor of the coefficients i and after
  int steps_ = 0;
};

}  // namespace

bool views_overlap(ConstTensorView a, ConstTensorView b) {
  if (a.raw() == nullptr || b.raw() == nullptr || has_no_elements(a) || has_no_elements(b)) {
    return false;
  }
  const auto start_a = reinterpret_cast<std::intptr_t>(a.raw());
  const auto start_b = reinterpret_cast<std::intptr_t>(b.raw());
  const std::int64_t span_a = span_in_bytes(a);
  const std::int64_t span_b = span_in_bytes(b);
  if (start_a + span_a <= start_b || start_b + span_b <= start_a) return false;

  // A byte of a is start_a + sum s x, one of b start_b + sum t y. They are the same byte when
  // sum s x + sum t (last - y) = start_b - start_a + sum t last, and last - y is as free as y.
  std::vector<Term> terms;
  append_axes(a, terms);
  append_axes(b, terms);
  sort_and_join(terms);
  return BoundedSum(std::move(terms)).may_reach(start_b - start_a + span_b - 1);
}

bool overlaps_itself(ConstTensorView view) {
  if (has_no_elements(view)) return false;
  std::vector<Term> axes;
  for (int axis = 0; axis < view.rank(); ++axis) {
    if (view.size(axis) > 1) axes.push_back({view.stride(axis), view.size(axis) - 1});
  }
  std::sort(axes.begin(), axes.end(),
            [](const Term& a, const Term& b) { return a.coefficient < b.coefficient; });
  std::int64_t reach = 0;  // of the axes with smaller strides
  for (const Term& axis : axes) {
    if (axis.coefficient <= reach) return true;
    reach += axis.coefficient * axis.most;
  }
  return false;
}

}  // namespace limelight
