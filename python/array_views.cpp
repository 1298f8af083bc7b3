#include "array_views.h"

#include <optional>
#include <vector>

namespace limelight::python {
namespace {

std::string text_of(py::handle object) { return py::str(object).cast<std::string>(); }

/// The element type, or nothing for those that the operator has no use for.
std::optional<DType> dtype_of(const py::dtype& dtype) {
  const char kind = dtype.kind();
  const auto size = dtype.itemsize();
  const auto is = [&](char k, py::ssize_t bytes) { return kind == k && size == bytes; };
  if (is('f', 8)) return DType::f64;
  if (is('f', 4)) return DType::f32;
  if (is('f', 2)) return DType::f16;
  if (is('u', 2)) return DType::bf16;  // bit patterns
  if (is('b', 1)) return DType::boolean;
  if (is('u', 1)) return DType::u8;
  if (is('i', 1)) return DType::i8;
  if (is('i', 4)) return DType::i32;
  if (is('i', 8)) return DType::i64;
  if (size == 2 && text_of(dtype) == "bfloat16") return DType::bf16;
  return std::nullopt;
}

struct Layout {
  DType dtype;
  std::vector<std::int64_t> sizes, strides;
};

Layout layout_of(const py::array& array, const std::string& name) {
  const std::optional<DType> dtype = dtype_of(array.dtype());
  if (!dtype) {
    throw Error(
        name +
        ": expected float64, float32, float16, bfloat16 (ml_dtypes, or its bits as uint16), "
        "bool, uint8, int8, int32 or int64, got " +
        text_of(array.dtype()));
  }
  if (!array.dtype().attr("isnative").cast<bool>()) {
    throw Error(name + ": expected numbers in this machine's byte order, got " +
                text_of(array.dtype()));
  }
  Layout layout = {*dtype, {}, {}};
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.strides(axis) % array.itemsize() != 0) {
      throw Error(
          name + ": axis " + std::to_string(axis) + " has a stride of " +
          std::to_string(array.strides(axis)) +
          " bytes, which is no whole number of elements; pass numpy.ascontiguousarray of it");
    }
    layout.sizes.push_back(array.shape(axis));
    layout.strides.push_back(array.strides(axis) / array.itemsize());
  }
  return layout;
}

py::array as_array(const py::object& object, const std::string& name) {
  if (!py::isinstance<py::array>(object)) {
    throw Error(name + ": expected a NumPy array, got " + text_of(py::type::of(object)));
  }
  return py::reinterpret_borrow<py::array>(object);
}

}  // namespace

ConstTensorView const_view(const py::object& object, const std::string& name) {
  if (object.is_none()) return {};
  const py::array array = as_array(object, name);
  const Layout layout = layout_of(array, name);
  return {array.data(), layout.dtype, layout.sizes, layout.strides};
}

TensorView mutable_view(const py::object& object, const std::string& name) {
  if (object.is_none()) return {};
  py::array array = as_array(object, name);
  if (!array.writeable()) throw Error(name + ": expected an array that may be written to");
  const Layout layout = layout_of(array, name);
  return {array.mutable_data(), layout.dtype, layout.sizes, layout.strides};
}

}  // namespace limelight::python
