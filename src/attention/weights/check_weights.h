#pragma once

#include <limelight/attention_weights.h>

#include <vector>

#include "attention/check_parts.h"
#include "attention/shape.h"

namespace limelight {

// Everything that can be wrong with a question about weights. Throws Error.

AttentionShape check_run(const AttentionRun& run);

/// Places of an axis of this length, of which the message gives the name.
void check_selection(const char* name, const Selection& selection, std::int64_t length,
                     const char* length_name);

/// A range, with at least one element where there are cells.
void check_cells(const char* name, const Selection& range, std::int64_t length,
                 const char* length_name, std::int64_t cells);

/// Shape, type and memory of a result, which overlaps nothing else of the call.
void check_result(const char* name, TensorView view, std::initializer_list<std::int64_t> sizes,
                  const char* meaning, std::initializer_list<DType> dtypes);
void check_apart_from(const AttentionRun& run, const std::vector<NamedView>& selections,
                      const std::vector<NamedView>& results);

}  // namespace limelight
