#pragma once

#include <cmath>
#include <limits>

namespace limelight {

/// How far a score may stand above its row's shift, what is subtracted from scores, before the
/// shift is moved: 2 to this power. Any shift gives the same weights but for a factor, which their
/// sum has too; and where it is not moved for every new maximum, the context is rescaled a few
/// times in all.
inline constexpr float kMostAboveShift = 8;

/// What a row's softmax needs to remember of the scores seen so far (Milakov and Gimelshein 2018):
///   maximum = max of scores,   sum = sum of exp(score - maximum);
/// or a shift, at most kMostAboveShift below the max.
/// merge() is associative and commutative, and the default state is its identity; whatever was
/// summed with the weights (the context) is rescaled by the factor that merge returns.
template <class T>
struct SoftmaxState {
  T maximum = -std::numeric_limits<T>::infinity();
  T sum = 0;

  bool empty() const { return sum == 0; }

  /// exp(old maximum - new maximum): what everything weighted so far is to be multiplied by when
  /// the maximum becomes `next`. An empty state has nothing to rescale, and -inf - -inf is not a
  /// number.
  T rescale_to(T next) const { return empty() ? T(0) : std::exp(maximum - next); }

  void merge(const SoftmaxState& other) {
    if (other.empty()) return;
    const T next = std::fmax(maximum, other.maximum);
    sum = sum * rescale_to(next) + other.sum * other.rescale_to(next);
    maximum = next;
  }

  /// log of the sum of exp of all scores; -infinity when there was none.
  T lse() const { return empty() ? -std::numeric_limits<T>::infinity() : maximum + std::log(sum); }
};

}  // namespace limelight
