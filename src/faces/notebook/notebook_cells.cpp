#include "faces/notebook/notebook_cells.h"

#include <fmt/format.h>

namespace limelight {

using Json = nlohmann::ordered_json;

void NotebookCells::markdown(const std::string& text) { add("markdown", text); }

void NotebookCells::code(const std::string& source, bool folded) {
  Json& cell = add("code", source);
  cell["execution_count"] = nullptr;
  cell["outputs"] = Json::array();
  // The notebook page and JupyterLab each have a name for it.
  if (folded) cell["metadata"] = {{"jupyter", {{"source_hidden", true}}}, {"hide_input", true}};
}

Json& NotebookCells::add(const char* type, const std::string& source) {
  cells_.push_back({{"cell_type", type},
                    {"id", fmt::format("cell-{:03}", cells_.size())},
                    {"metadata", Json::object()},
                    {"source", source}});
  return cells_.back();
}

std::string NotebookCells::finish(const Json& metadata) && {
  const Json notebook = {
      {"cells", std::move(cells_)},
      {"metadata",
       {{"kernelspec",
         {{"display_name", "Python 3 (ipykernel)"}, {"language", "python"}, {"name", "python3"}}},
        {"language_info", {{"name", "python"}}},
        {"limelight", metadata}}},
      {"nbformat", 4},
      {"nbformat_minor", 5}};
  return notebook.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace limelight
