#pragma once

#include <limelight/tensor.h>
#include <pybind11/numpy.h>

#include <string>

namespace limelight::python {

namespace py = pybind11;

/// A NumPy array as a view, without a copy: f64, f32, f16, bool, u8, i8, i32, i64, and bf16 as an
/// ml_dtypes array or as bit patterns in uint16. None is the empty view. Throws Error, naming the
/// argument, on other types and on strides that are no whole number of elements.
ConstTensorView const_view(const py::object& array, const std::string& name);

/// The same of an array that is written to.
TensorView mutable_view(const py::object& array, const std::string& name);

}  // namespace limelight::python
