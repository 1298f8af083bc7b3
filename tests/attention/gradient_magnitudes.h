#pragma once

#include "attention/attention_case.h"

namespace limelight::test {

/// For each element of the gradients of query, key, value and past, the sum of the magnitudes of
/// the products that enter it, in float64: what the rounding of their factors is relative to.
/// `forward` is what the backward is given.
BackwardResult gradient_magnitudes(const AttentionCase& inputs, const ForwardResult& forward);

}  // namespace limelight::test
