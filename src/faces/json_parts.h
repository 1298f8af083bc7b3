#pragma once

#include <limelight/tokenizer.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "model/transformer_config.h"
#include "trace/matrix.h"

namespace limelight {

// What the data of every face is made of.

/// Numbers are kept as float, so that tensors are written with the fewest digits that read back the
/// same. Measures in double keep 7 digits so, which is more than a person reads.
using FaceJson = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool,
                                      std::int64_t, std::uint64_t, float>;

/// JSON knows no infinity and no NaN: both are null.
FaceJson number_json(double value);
FaceJson rows_json(MatrixView matrix);
/// `target` with "text", and "bytes" where the text is not UTF-8.
FaceJson text_json(FaceJson target, const std::string& text);
/// {name, layers, heads, width, head_dim, context_length}
FaceJson model_json(const std::string& name, const TransformerConfig& config);
/// [{id, text, bytes where the text is not UTF-8}]
FaceJson tokens_json(std::span<const TokenId> ids, std::span<const std::string> texts);
/// One line; bytes that are not UTF-8 as U+FFFD.
std::string one_line(const FaceJson& json);

}  // namespace limelight
