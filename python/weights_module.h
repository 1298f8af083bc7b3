#pragma once

#include <pybind11/pybind11.h>

namespace limelight::python {

/// Adds the functions of limelight/attention_weights.py to the module.
void add_weights_functions(pybind11::module_& module);

}  // namespace limelight::python
