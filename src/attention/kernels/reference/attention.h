#pragma once

#include "attention/check_arguments.h"
#include "attention/visibility.h"

namespace limelight::reference {

// The oracle: attention in float64, written to be read, with every option. Everything faster is
// held against it. What it reads may be of any type; what it sums, it sums in the order of the
// keys.
//
// REQUIRES: arguments and options have been checked and gave `shape`.

void attention_forward(const ForwardArguments& arguments, const AttentionShape& shape,
                       const AttentionOptions& options, const Visibility& visibility);

void attention_backward(const BackwardArguments& arguments, const AttentionShape& shape,
                        const AttentionOptions& options, const Visibility& visibility);

}  // namespace limelight::reference
