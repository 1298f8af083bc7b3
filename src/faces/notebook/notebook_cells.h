#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace limelight {

/// The cells of a Jupyter notebook in the making.
class NotebookCells {
 public:
  void markdown(const std::string& text);
  /// `folded`: its source is shown only when asked for.
  void code(const std::string& source, bool folded = false);

  /// The whole file, with `metadata` under "limelight".
  std::string finish(const nlohmann::ordered_json& metadata) &&;

 private:
  nlohmann::ordered_json& add(const char* type, const std::string& source);

  nlohmann::ordered_json cells_ = nlohmann::ordered_json::array();
};

}  // namespace limelight
