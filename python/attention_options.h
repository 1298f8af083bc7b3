#pragma once

#include <limelight/attention.h>
#include <pybind11/pybind11.h>

namespace limelight::python {

/// AttentionOptions from the keyword arguments of limelight.attention: views of the arrays in
/// `keywords`, which must outlive the result. Throws Error on what cannot be.
AttentionOptions attention_options(const pybind11::dict& keywords);

}  // namespace limelight::python
