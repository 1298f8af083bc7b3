#pragma once

#include <limelight/attention.h>
#include <pybind11/pybind11.h>

#include <optional>

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

/// Runs `body` without the interpreter's lock. Meanwhile Python's handlers of signals run now and
/// then, through options.should_stop; what one of them raises (KeyboardInterrupt, after Ctrl-C)
/// ends the computation and is raised from here.
template <class Body>
void compute(AttentionOptions& options, const Body& body) {
  std::optional<pybind11::error_already_set> raised;
  const auto handle_signals = [&raised] {
    if (!raised && PyErr_CheckSignals() != 0) raised.emplace();
    return raised.has_value();
  };
  options.should_stop = [&handle_signals] {
    const pybind11::gil_scoped_acquire locked;
    return handle_signals();
  };
  {
    const pybind11::gil_scoped_release unlocked;
    body();
  }
  if (handle_signals()) throw pybind11::error_already_set(*raised);
}

}  // namespace limelight::python
