#include "model/parameter_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace limelight {
namespace {

float as_float(const ConstTensorView& view, std::int64_t i) {
  switch (view.dtype()) {
    case DType::f64:
      return static_cast<float>(view.data<double>()[i]);
    case DType::bf16:
      return static_cast<float>(view.data<bfloat16>()[i]);
    case DType::f16:
      return static_cast<float>(view.data<float16>()[i]);
    default:
      return view.data<float>()[i];
  }
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16 || dtype == DType::f16;
}

bool is_linear(const ParameterEntry& entry) {
  return entry.kind == ParameterKind::linear || entry.kind == ParameterKind::residual_linear;
}

/// Copies a tensor into its place; a matrix stored [out, in] is turned around.
void copy_tensor(const ConstTensorView& view, const ParameterEntry& entry, bool out_in, float* to) {
  if (!out_in || !is_linear(entry)) {
    for (std::int64_t i = 0; i < view.elements(); ++i) to[i] = as_float(view, i);
    return;
  }
  const std::int64_t in = entry.shape[0];
  const std::int64_t out = entry.shape[1];
  for (std::int64_t row = 0; row < out; ++row) {
    for (std::int64_t column = 0; column < in; ++column) {
      to[column * out + row] = as_float(view, row * in + column);
    }
  }
}

Result<ConstTensorView> find_tensor(const SafetensorsFile& file, const ParameterEntry& entry) {
  const std::string prefixed = "transformer." + entry.name;
  return file.tensor(file.contains(prefixed) ? prefixed : entry.name);
}

}  // namespace

Status read_parameters(const SafetensorsFile& file, const std::string& file_name,
                       const TransformerConfig& config, const ParameterLayout& layout,
                       std::span<float> parameters) {
  bool out_in = false;
  for (const ParameterEntry& entry : layout.entries()) {
    auto view = find_tensor(file, entry);
    if (!view) return view.failure();
    std::vector<std::int64_t> expected = entry.shape;
    const std::vector<std::int64_t> found(view->sizes().begin(), view->sizes().end());
    if (entry.name == "h.0.attn.c_attn.weight") {
      out_in = found == std::vector<std::int64_t>{3 * config.width, config.width};
    }
    if (out_in && is_linear(entry)) std::reverse(expected.begin(), expected.end());
    if (found != expected || !is_float(view->dtype())) {
      return Failure{fmt::format(
          "{}: {}: expected a tensor of numbers of shape [{}], found {} {}; config.json and the "
          "weights do not belong together",
          file_name, entry.name, fmt::join(expected, ", "), name_of(view->dtype()),
          view->shape_string())};
    }
    copy_tensor(*view, entry, out_in, parameters.data() + entry.offset);
  }
  return success();
}

}  // namespace limelight
