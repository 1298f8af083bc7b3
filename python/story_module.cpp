#include "story_module.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <filesystem>

#include "compute.h"
#include "faces/csv/story_csv.h"
#include "faces/html/story_html.h"
#include "faces/notebook/story_notebook.h"
#include "faces/story_json.h"
#include "faces/svg/story_svg.h"
#include "story/story_teller.h"
#include "trace/trace_file.h"

namespace limelight::python {
namespace {

namespace py = pybind11;
namespace fs = std::filesystem;

StoryDetail detail_named(const std::string& name) {
  if (name == "row") return StoryDetail::row;
  if (name == "head") return StoryDetail::head;
  if (name == "model") return StoryDetail::model;
  throw Error("detail: expected row, head or model, got " + name);
}

std::shared_ptr<StoryTeller> open_teller(const std::string& model, const std::string& senses) {
  return std::make_shared<StoryTeller>(StoryTeller::open(model, senses).value());
}

std::shared_ptr<Story> tell(const StoryTeller& teller, const std::string& text,
                            std::optional<std::string> word, std::optional<std::int64_t> layer,
                            std::optional<std::int64_t> head, const std::string& detail,
                            const std::optional<std::string>& bug) {
  StoryRequest request;
  request.text = text;
  request.word = std::move(word);
  request.layer = layer;
  request.head = head;
  request.detail = detail_named(detail);
  if (bug) {
    request.bug = bug_named(*bug);
    if (!request.bug) throw Error("bug: expected one of " + bug_names() + ", got " + *bug);
  }
  std::shared_ptr<Story> story;
  compute([&] { story = std::make_shared<Story>(teller.tell(std::move(request)).value()); });
  return story;
}

/// A copy of a tensor's numbers.
py::array_t<float> array_of(const MatrixView& values) {
  py::array_t<float> array({values.rows, values.columns});
  auto out = array.mutable_unchecked<2>();
  for (py::ssize_t row = 0; row < values.rows; ++row) {
    for (py::ssize_t column = 0; column < values.columns; ++column) {
      out(row, column) = values.at(row, column);
    }
  }
  return array;
}

/// {"ids", "tensors": {NAME: array}, "axes": {NAME: (rows, columns)}, "rows": {NAME: [token]} where
/// not all tokens are kept, "recipes": {NAME: (operation, [operand], factor)}}
py::dict trace_parts(const Trace& trace) {
  py::dict tensors, axes, rows, recipes;
  for (const TraceTensor& tensor : trace.tensors()) {
    const py::str name(tensor.name);
    tensors[name] = array_of(tensor.values);
    axes[name] = py::make_tuple(tensor.axes[0], tensor.axes[1]);
    if (!tensor.rows.empty()) rows[name] = tensor.rows;
    recipes[name] = py::make_tuple(std::string(name_of(tensor.recipe.operation)),
                                   tensor.recipe.operands, tensor.recipe.factor);
  }
  py::dict parts;
  parts["ids"] = trace.ids;
  parts["tensors"] = tensors;
  parts["axes"] = axes;
  parts["rows"] = rows;
  parts["recipes"] = recipes;
  return parts;
}

py::dict open_trace_file(const std::string& path) {
  const TraceFile file = open_trace(path).value();
  py::dict parts = trace_parts(file.trace);
  parts["notes"] = file.notes;
  return parts;
}

std::string draw(const Story& story, const std::string& figure) {
  const auto named = svg_figure_named(figure);
  if (!named) throw Error("figure: expected matrix, heads or arcs, got " + figure);
  return story_to_svg(story, *named);
}

py::dict tensor_proofs(const Story& story) {
  py::dict proofs;
  for (const TensorProof& proof : story.proof.tensors) {
    proofs[py::str(proof.tensor)] = py::make_tuple(proof.largest_difference, proof.relative());
  }
  return proofs;
}

py::list token_bytes(const Story& story) {
  py::list tokens;
  for (const std::string& text : story.token_texts) tokens.append(py::bytes(text));
  return tokens;
}

}  // namespace

void add_story_classes(py::module_& module) {
  py::class_<StoryTeller, std::shared_ptr<StoryTeller>>(module, "StoryTeller")
      .def(py::init(&open_teller), py::arg("model"), py::arg("senses"))
      // A story's trace refers to the teller's model.
      .def("tell", &tell, py::keep_alive<0, 1>());
  py::class_<Story, std::shared_ptr<Story>>(module, "Story")
      .def("token_bytes", &token_bytes)
      .def("trace_parts", [](const Story& story) { return trace_parts(story.trace); })
      .def("tensor_proofs", &tensor_proofs)
      .def("to_json",
           [](const Story& story) { return story_to_json(story, TensorEncoding::arrays); })
      .def("page_json",
           [](const Story& story) { return story_to_json(story, TensorEncoding::base64); })
      .def("to_html", &story_to_html)
      .def("to_notebook", &story_to_notebook)
      .def("to_svg", &draw)
      .def("save_csv",
           [](const Story& story, const std::string& folder) {
             static_cast<void>(write_story_csv(folder, story).value());
           })
      .def("save_trace", [](const Story& story, const std::string& path) {
        const std::map<std::string, std::string> notes = {{"text", story.text},
                                                          {"hash", story.hash}};
        static_cast<void>(save_trace(path, story.trace, notes).value());
      });
  module.def("open_trace", &open_trace_file);
  module.attr("SOURCE_TREE") = LIMELIGHT_SOURCE_TREE;
}

}  // namespace limelight::python
