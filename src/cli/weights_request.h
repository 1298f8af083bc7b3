#pragma once

#include <limelight/attention_weights.h>

#include <functional>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace limelight::cli {

/// Makes a tensor that lives as long as the command.
using MakeTensor = std::function<TensorView(DType, std::span<const std::int64_t>)>;

/// What --weights can ask for, for its help.
inline constexpr const char* kWeightsHelp =
    "Of the attention weights: rows=0,5,7  columns=3  tile=0:16,0:64  top_k=8  column_sums  "
    "entropy\n"
    "mean_map=64x64  max_map=64x64@0:16,0:64 (HEIGHTxWIDTH cells, of all or of a rectangle)";

/// Checks each request and appends its results: weights_rows, weights_columns, weights_tile,
/// weights_top_k and weights_top_k_indices, weights_column_sums, weights_entropy, weights_mean_map,
/// weights_max_map. Throws Mistake, naming --weights, on what is none, and on two of a kind.
void answer_weights(const std::vector<std::string>& requests, const AttentionRun& run,
                    const MakeTensor& make, std::vector<NamedTensor>& results);

}  // namespace limelight::cli
