// limelight._core: the operator on NumPy arrays. What a person calls is in limelight/attention.py.

#include <limelight/attention.h>
#include <pybind11/pybind11.h>

#include "array_views.h"
#include "attention_options.h"
#include "base/instruction_set.h"

namespace limelight::python {
namespace {

/// Runs `body` without the interpreter's lock; a Ctrl-C that came meanwhile is raised after it.
template <class Body>
void compute(const Body& body) {
  {
    const py::gil_scoped_release unlocked;
    body();
  }
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

void forward(const py::object& query, const py::object& key, const py::object& value,
             const py::object& out, const py::object& lse, const py::dict& keywords) {
  const AttentionOptions options = attention_options(keywords);
  const ConstTensorView query_view = const_view(query, "query");
  const ConstTensorView key_view = const_view(key, "key");
  const ConstTensorView value_view = const_view(value, "value");
  const TensorView out_view = mutable_view(out, "out");
  const TensorView lse_view = mutable_view(lse, "lse");
  compute([&] { attention(query_view, key_view, value_view, out_view, options, lse_view); });
}

void backward(const py::object& query, const py::object& key, const py::object& value,
              const py::object& out, const py::object& lse, const py::object& grad_out,
              const py::dict& gradients, const py::dict& keywords) {
  const AttentionOptions options = attention_options(keywords);
  const auto gradient = [&](const char* name) {
    return gradients.contains(name)
               ? mutable_view(py::object(gradients[name]), std::string("grad_") + name)
               : TensorView();
  };
  AttentionGradients views;
  views.query = gradient("query");
  views.key = gradient("key");
  views.value = gradient("value");
  views.past_key = gradient("past_key");
  views.past_value = gradient("past_value");
  views.bias = gradient("bias");
  views.sinks = gradient("sinks");
  const ConstTensorView query_view = const_view(query, "query");
  const ConstTensorView key_view = const_view(key, "key");
  const ConstTensorView value_view = const_view(value, "value");
  const ConstTensorView out_view = const_view(out, "out");
  const ConstTensorView lse_view = const_view(lse, "lse");
  const ConstTensorView grad_out_view = const_view(grad_out, "grad_out");
  compute([&] {
    attention_backward(query_view, key_view, value_view, out_view, lse_view, grad_out_view, views,
                       options);
  });
}

}  // namespace
}  // namespace limelight::python

PYBIND11_MODULE(_core, module) {
  namespace py = pybind11;
  module.doc() = "The operator on NumPy arrays; see limelight.attention.";
  py::register_exception<limelight::Error>(module, "Error", PyExc_ValueError);
  module.def("attention", &limelight::python::forward);
  module.def("attention_backward", &limelight::python::backward);
  module.def("instruction_set", [] { return limelight::instruction_set(); });
}
