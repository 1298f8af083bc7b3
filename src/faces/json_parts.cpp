#include "faces/json_parts.h"

#include <cmath>

#include "base/utf8.h"

namespace limelight {

FaceJson number_json(double value) {
  return std::isfinite(value) ? FaceJson(static_cast<float>(value)) : FaceJson(nullptr);
}

FaceJson rows_json(MatrixView matrix) {
  FaceJson rows = FaceJson::array();
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    FaceJson numbers = FaceJson::array();
    for (const float value : matrix.row(row)) numbers.push_back(number_json(value));
    rows.push_back(std::move(numbers));
  }
  return rows;
}

FaceJson text_json(FaceJson target, const std::string& text) {
  target["text"] = text;
  if (find_invalid_utf8(text)) {
    FaceJson bytes = FaceJson::array();
    for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
    target["bytes"] = bytes;
  }
  return target;
}

FaceJson model_json(const std::string& name, const TransformerConfig& config) {
  return {{"name", name},
          {"layers", config.num_layers},
          {"heads", config.num_heads},
          {"width", config.width},
          {"head_dim", config.head_dim()},
          {"context_length", config.context_length}};
}

FaceJson tokens_json(std::span<const TokenId> ids, std::span<const std::string> texts) {
  FaceJson tokens = FaceJson::array();
  for (std::size_t t = 0; t < ids.size(); ++t) {
    tokens.push_back(text_json({{"id", ids[t]}}, texts[t]));
  }
  return tokens;
}

std::string one_line(const FaceJson& json) {
  return json.dump(-1, ' ', false, FaceJson::error_handler_t::replace) + "\n";
}

}  // namespace limelight
