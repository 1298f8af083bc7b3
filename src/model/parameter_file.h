#pragma once

#include <limelight/result.h>

#include <span>
#include <string>

#include "checkpoint/safetensors.h"
#include "model/parameters.h"

namespace limelight {

/// Fills the transformer's parameters from a file with GPT-2's tensor names, with or without the
/// prefix "transformer.", linear weights as [in, out] (GPT-2's Conv1D) or [out, in] (PyTorch's
/// Linear, as nanoGPT stores them): c_attn's shape, never square, tells which. f32, f64, bf16 and
/// f16. Tensors that are not parameters (attention's mask buffers) are ignored.
Status read_parameters(const SafetensorsFile& file, const std::string& file_name,
                       const TransformerConfig& config, const ParameterLayout& layout,
                       std::span<float> parameters);

}  // namespace limelight
