#pragma once

#include <limelight/tensor.h>

namespace limelight {

/// Whether two views have a byte in common, exactly: views that interleave (the query, key and
/// value columns of one packed buffer) share none. Where it would take too long to find out, true.
/// REQUIRES: sizes and strides are not negative, and extents fit std::int64_t.
bool views_overlap(ConstTensorView a, ConstTensorView b);

/// Whether two elements of a view may lie at one place. True as well for the odd strides under
/// which axes interleave without meeting.
bool overlaps_itself(ConstTensorView view);

}  // namespace limelight
