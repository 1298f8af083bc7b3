#pragma once

#include <limelight/attention.h>

#include <string>
#include <vector>

#include "attention/shape.h"

namespace limelight {

// The pieces that the checks of every call of the room are made of. Each throws Error, naming the
// argument, what was expected and what came.

struct NamedView {
  const char* name;
  ConstTensorView view;
};

/// Heads that group, and a dimension.
void check_heads(ConstTensorView query, const AttentionShape& shape);

/// Every option, alone and with the others. `dtype` is that of query.
void check_options(const AttentionOptions& options, const AttentionShape& shape, DType dtype);

void check_lse(ConstTensorView lse, const AttentionShape& shape);

/// The memory that options read.
std::vector<NamedView> inputs_of(const AttentionOptions& options);

/// What is written shares no byte with what is read, nor with anything else that is written.
void check_apart(const std::vector<NamedView>& inputs, const std::vector<NamedView>& outputs);

}  // namespace limelight
