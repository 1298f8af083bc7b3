// limelight._core: the operator on NumPy arrays, and stories. What a person calls is in
// limelight/*.py.

#include <limelight/attention.h>
#include <limelight/decode.h>
#include <limelight/rope.h>
#include <pybind11/pybind11.h>

#include <optional>

#include "array_views.h"
#include "attention_options.h"
#include "base/instruction_set.h"
#include "compute.h"
#include "story_module.h"
#include "weights_module.h"

namespace limelight::python {
namespace {

void forward(const py::object& query, const py::object& key, const py::object& value,
             const py::object& out, const py::object& lse, const py::dict& keywords) {
  AttentionOptions options = attention_options(keywords);
  const ConstTensorView query_view = const_view(query, "query");
  const ConstTensorView key_view = const_view(key, "key");
  const ConstTensorView value_view = const_view(value, "value");
  const TensorView out_view = mutable_view(out, "out");
  const TensorView lse_view = mutable_view(lse, "lse");
  compute(options,
          [&] { attention(query_view, key_view, value_view, out_view, options, lse_view); });
}

void backward(const py::object& query, const py::object& key, const py::object& value,
              const py::object& out, const py::object& lse, const py::object& grad_out,
              const py::dict& gradients, const py::dict& keywords) {
  AttentionOptions options = attention_options(keywords);
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
  compute(options, [&] {
    attention_backward(query_view, key_view, value_view, out_view, lse_view, grad_out_view, views,
                       options);
  });
}

void decode_queries(const py::object& query, const py::object& key, const py::object& value,
                    const py::object& block_table, const py::object& key_scales,
                    const py::object& value_scales, const py::object& out, const py::object& lse,
                    const py::dict& keywords) {
  const AttentionOptions options = attention_options(keywords);
  const ConstTensorView query_view = const_view(query, "query");
  const KeyValueCache cache = {
      const_view(key, "key"), const_view(value, "value"), const_view(block_table, "block_table"),
      const_view(key_scales, "key_scales"), const_view(value_scales, "value_scales")};
  const TensorView out_view = mutable_view(out, "out");
  const TensorView lse_view = mutable_view(lse, "lse");
  compute([&] { decode(query_view, cache, out_view, options, lse_view); });
}

RopePairs pairs_of(bool interleaved) {
  return interleaved ? RopePairs::interleaved : RopePairs::half_split;
}

RopeDirection direction_of(bool backward) {
  return backward ? RopeDirection::backward : RopeDirection::forward;
}

/// {"type": "linear" | "llama3" | "yarn", ...}, with the fields of the structs of rope.h.
void read_scaling(const py::dict& keywords, RopeOptions& options) {
  const auto type = keywords["type"].cast<std::string>();
  const auto set = [&](double& field, const char* name) {
    if (keywords.contains(name)) field = keywords[name].cast<double>();
  };
  if (type == "linear") {
    RopeLinearScaling scaling = {1};
    set(scaling.factor, "factor");
    options.scaling = scaling;
  } else if (type == "llama3") {
    RopeLlama3Scaling scaling;
    set(scaling.factor, "factor");
    set(scaling.low_freq_factor, "low_freq_factor");
    set(scaling.high_freq_factor, "high_freq_factor");
    set(scaling.original_context, "original_context");
    options.scaling = scaling;
  } else if (type == "yarn") {
    RopeYarnScaling scaling;
    set(scaling.factor, "factor");
    set(scaling.original_context, "original_context");
    set(scaling.beta_fast, "beta_fast");
    set(scaling.beta_slow, "beta_slow");
    set(scaling.attention_factor, "attention_factor");
    options.scaling = scaling;
  } else {
    throw Error("scaling: expected the type linear, llama3 or yarn, got " + type);
  }
}

RopeOptions rope_options(double theta, std::int64_t rotary_dim, bool interleaved,
                         const py::object& scaling) {
  RopeOptions options;
  options.theta = theta;
  options.rotary_dim = rotary_dim;
  options.pairs = pairs_of(interleaved);
  if (!scaling.is_none()) read_scaling(scaling.cast<py::dict>(), options);
  return options;
}

void rope_by_positions(const py::object& x, const py::object& positions, const py::object& out,
                       double theta, std::int64_t rotary_dim, bool interleaved,
                       const py::object& scaling, bool backward) {
  rope(const_view(x, "x"), const_view(positions, "positions"), mutable_view(out, "out"),
       rope_options(theta, rotary_dim, interleaved, scaling), direction_of(backward));
}

void rope_by_angles(const py::object& x, const py::object& cosines, const py::object& sines,
                    const py::object& out, bool interleaved, bool backward) {
  rope_rotate(const_view(x, "x"), const_view(cosines, "cosines"), const_view(sines, "sines"),
              mutable_view(out, "out"), pairs_of(interleaved), direction_of(backward));
}

}  // namespace
}  // namespace limelight::python

PYBIND11_MODULE(_core, module) {
  namespace py = pybind11;
  module.doc() =
      "The operator on NumPy arrays, and stories; see limelight.attention and limelight.Story.";
  py::register_exception<limelight::Error>(module, "Error", PyExc_ValueError);
  module.def("attention", &limelight::python::forward);
  module.def("attention_backward", &limelight::python::backward);
  limelight::python::add_weights_functions(module);
  limelight::python::add_story_classes(module);
  module.def("decode", &limelight::python::decode_queries);
  module.def("rope", &limelight::python::rope_by_positions);
  module.def("rope_rotate", &limelight::python::rope_by_angles);
  module.def("instruction_set", [] { return limelight::instruction_set(); });
}
