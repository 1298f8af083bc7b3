#pragma once

#include "trace/trace.h"

namespace limelight {

/// The tensor's recipe, computed in float64 from the recorded operands: an independent way to the
/// same numbers. One row for each row of the tensor. Throws Error when an operand is missing, does
/// not keep a row that is needed, or does not fit. REQUIRES: the recipe is not `given`.
Matrix64 evaluate(const Trace& trace, const TraceTensor& tensor);

}  // namespace limelight
