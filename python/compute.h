#pragma once

#include <pybind11/pybind11.h>

namespace limelight::python {

/// Runs `body` without the interpreter's lock; a Ctrl-C that came meanwhile is raised after it.
template <class Body>
void compute(const Body& body) {
  {
    const pybind11::gil_scoped_release unlocked;
    body();
  }
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}

}  // namespace limelight::python
