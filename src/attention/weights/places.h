#pragma once

#include <limelight/attention_weights.h>

#include <algorithm>
#include <cstdint>

#include "attention/element.h"
#include "attention/visibility.h"

namespace limelight {

/// A selection that has been checked: which place along the axis stands at each position of what
/// was asked for.
class Places {
 public:
  /// REQUIRES: the selection lies within an axis of this length (check_weights.h).
  Places(const Selection& selection, std::int64_t length)
      : begin_(selection.begin),
        size_(selection.listed.empty()
                  ? (selection.end == Selection::kToTheEnd ? length : selection.end) - begin_
                  : selection.listed.size(0)),
        listed_(selection.listed) {}

  bool consecutive() const { return listed_.empty(); }
  std::int64_t size() const { return size_; }
  std::int64_t at(std::int64_t position) const {
    return consecutive()
               ? begin_ + position
               : read_integer(listed_.raw(), listed_.dtype(), position * listed_.stride(0));
  }

  /// Positions outside of these have no place in [first, first + length).
  KeyRange positions_within(std::int64_t first, std::int64_t length) const {
    if (!consecutive()) return {0, size_};
    return {std::max<std::int64_t>(first - begin_, 0), std::min(first + length - begin_, size_)};
  }

 private:
  std::int64_t begin_;
  std::int64_t size_;
  ConstTensorView listed_;
};

}  // namespace limelight
