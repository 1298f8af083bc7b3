#include "trace/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/printable.h"
#include "checkpoint/safetensors.h"

namespace limelight {
namespace {

constexpr const char* kTraceKey = "limelight.trace";

using Json = nlohmann::ordered_json;

Json description_of(const TraceTensor& tensor) {
  Json json = {{"name", tensor.name}, {"axes", tensor.axes}};
  if (!tensor.rows.empty()) json["rows"] = tensor.rows;
  if (tensor.recipe.operation != Operation::given) {
    json["recipe"] = {{"operation", name_of(tensor.recipe.operation)},
                      {"operands", tensor.recipe.operands},
                      {"factor", tensor.recipe.factor}};
  }
  return json;
}

/// Reads one entry of "tensors" into a tensor whose name and values are known. Each member says
/// what is wrong by its return value: "" is sound.
class DescriptionReader {
 public:
  DescriptionReader(const nlohmann::json& json, std::int64_t tokens, TraceTensor& tensor)
      : json_(json), tokens_(tokens), tensor_(tensor) {}

  std::string read() {
    for (const auto& problem : {axes(), rows(), recipe()}) {
      if (!problem.empty()) return problem;
    }
    return "";
  }

 private:
  std::string axes() {
    const auto found = json_.find("axes");
    if (found == json_.end() || !found->is_array() || found->size() != 2) {
      return "expected \"axes\" to be two names";
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (!(*found)[i].is_string()) return "expected \"axes\" to be two names";
      tensor_.axes[i] = (*found)[i].get<std::string>();
    }
    return "";
  }

  std::string rows() {
    const auto found = json_.find("rows");
    if (found == json_.end()) return "";
    std::string wrong = fmt::format("expected \"rows\" to be {} rising tokens below {}",
                                    tensor_.values.rows, tokens_);
    if (!found->is_array() || std::ssize(*found) != tensor_.values.rows) return wrong;
    for (const auto& row : *found) {
      if (!row.is_number_integer()) return wrong;
      const auto token = row.get<std::int64_t>();
      const std::int64_t least = tensor_.rows.empty() ? 0 : tensor_.rows.back() + 1;
      if (token < least || token >= tokens_) return wrong;
      tensor_.rows.push_back(token);
    }
    return "";
  }

  std::string recipe() {
    const auto found = json_.find("recipe");
    if (found == json_.end()) return "";
    const auto operation = found->find("operation");
    const auto operands = found->find("operands");
    const auto factor = found->find("factor");
    if (operation == found->end() || !operation->is_string() || operands == found->end() ||
        !operands->is_array() || factor == found->end() || !factor->is_number()) {
      return "expected \"recipe\" to have an operation, operands and a factor";
    }
    const auto known = operation_named(operation->get<std::string>());
    if (!known) return "the operation of its recipe is not known";
    tensor_.recipe.operation = *known;
    tensor_.recipe.factor = factor->get<double>();
    for (const auto& operand : *operands) {
      if (!operand.is_string()) return "expected the operands of its recipe to be names";
      tensor_.recipe.operands.push_back(operand.get<std::string>());
    }
    return "";
  }

  const nlohmann::json& json_;
  std::int64_t tokens_;
  TraceTensor& tensor_;
};

std::string read_ids(const nlohmann::json& json, std::vector<std::int32_t>& ids) {
  const auto found = json.find("ids");
  if (found == json.end() || !found->is_array()) return "expected \"ids\" to be token ids";
  for (const auto& id : *found) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() > std::numeric_limits<std::int32_t>::max()) {
      return "expected \"ids\" to be token ids";
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return "";
}

Result<TraceTensor> read_tensor(const SafetensorsFile& file, const std::string& name,
                                const nlohmann::json& json, std::int64_t tokens,
                                const std::string& what) {
  auto view = file.tensor(name);
  if (!view) return view.failure();
  if (view->dtype() != DType::f32 || view->rank() != 2) {
    return Failure{fmt::format("{}: tensor {}: expected F32 of two axes", what, printable(name))};
  }
  Matrix values(view->size(0), view->size(1));
  std::copy_n(view->data<float>(), values.values.size(), values.values.begin());
  TraceTensor tensor;
  tensor.name = name;
  tensor.storage = std::make_shared<const Matrix>(std::move(values));
  tensor.values = *tensor.storage;
  if (const std::string problem = DescriptionReader(json, tokens, tensor).read();
      !problem.empty()) {
    return Failure{fmt::format("{}: tensor {}: {}", what, printable(name), problem)};
  }
  return tensor;
}

}  // namespace

Status save_trace(const std::filesystem::path& path, const Trace& trace,
                  const std::map<std::string, std::string>& notes) {
  return place(prepare_trace(path, trace, notes));
}

Preparation prepare_trace(const std::filesystem::path& path, const Trace& trace,
                          const std::map<std::string, std::string>& notes) {
  Json descriptions = Json::array();
  std::deque<Matrix> packed;  // the writer takes contiguous views
  std::vector<NamedTensor> tensors;
  for (const TraceTensor& tensor : trace.tensors()) {
    descriptions.push_back(description_of(tensor));
    MatrixView values = tensor.values;
    if (values.stride != values.columns) {
      Matrix& copy = packed.emplace_back(values.rows, values.columns);
      for (std::int64_t r = 0; r < values.rows; ++r) {
        std::ranges::copy(values.row(r), copy.row(r).begin());
      }
      values = copy;
    }
    tensors.push_back(
        {tensor.name, ConstTensorView::of(values.data, {values.rows, values.columns})});
  }
  std::map<std::string, std::string> metadata = notes;
  metadata[kTraceKey] = Json({{"ids", trace.ids}, {"tensors", descriptions}}).dump();
  return prepare_safetensors(path, tensors, metadata);
}

Result<TraceFile> open_trace(const std::filesystem::path& path) {
  auto file = SafetensorsFile::open(path);
  if (!file) return file.failure();
  return read_trace(*file, printable_path(path));
}

Result<TraceFile> read_trace(const SafetensorsFile& file, const std::string& what) {
  const auto found = file.metadata().find(kTraceKey);
  if (found == file.metadata().end()) {
    return Failure{what +
                   ": holds no trace: its metadata has no \"limelight.trace\"; expected a "
                   "file that limelight saved"};
  }
  const auto json = parse_json(found->second, what + ": limelight.trace");
  if (!json) return json.failure();
  const auto descriptions = json->find("tensors");
  if (!json->is_object() || descriptions == json->end() || !descriptions->is_array()) {
    return Failure{what + ": limelight.trace: expected an object with \"ids\" and \"tensors\""};
  }

  TraceFile out;
  if (const std::string problem = read_ids(*json, out.trace.ids); !problem.empty()) {
    return Failure{what + ": limelight.trace: " + problem};
  }
  for (const auto& description : *descriptions) {
    const auto name = description.find("name");
    if (!description.is_object() || name == description.end() || !name->is_string()) {
      return Failure{what + ": limelight.trace: expected each of \"tensors\" to have a name"};
    }
    auto tensor =
        read_tensor(file, name->get<std::string>(), description, std::ssize(out.trace.ids), what);
    if (!tensor) return tensor.failure();
    if (out.trace.contains(tensor->name)) {
      return Failure{what + ": limelight.trace: two tensors are called " + printable(tensor->name)};
    }
    out.trace.add(std::move(*tensor));
  }
  out.notes = file.metadata();
  out.notes.erase(kTraceKey);
  return out;
}

}  // namespace limelight
