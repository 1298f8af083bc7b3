#pragma once

#include "base/instruction_set.h"

/// The version of a kernel (see HWY_EXPORT) for the instruction set that was chosen. To be used
/// after <hwy/highway.h>, which this does not include: foreach_target.h must come first.
#define LIMELIGHT_DISPATCH(kernel) \
  (static_cast<void>(::limelight::instruction_set()), HWY_DYNAMIC_DISPATCH(kernel))
