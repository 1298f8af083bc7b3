#include "weights_module.h"

#include <limelight/attention_weights.h>

#include "array_views.h"
#include "attention_options.h"
#include "compute.h"

namespace limelight::python {
namespace {

AttentionRun run_of(const py::object& query, const py::object& key, const py::object& lse,
                    const py::dict& keywords) {
  return {const_view(query, "query"), const_view(key, "key"), const_view(lse, "lse"),
          attention_options(keywords)};
}

/// An end of -1 would mean the whole axis, which a person who writes -1 does not mean.
void check_end(std::int64_t end) {
  if (end < 0) throw Error("tile: expected ends of 0 or more, got " + std::to_string(end));
}

/// None, (begin, end), or an array of places.
Selection selection_of(const py::object& places, const char* name) {
  if (places.is_none()) return {};
  if (py::isinstance<py::tuple>(places)) {
    const auto range = places.cast<std::pair<std::int64_t, std::int64_t>>();
    check_end(range.second);
    return {range.first, range.second, {}};
  }
  return {0, Selection::kToTheEnd, const_view(places, name)};
}

void weights(const py::object& query, const py::object& key, const py::object& lse,
             const py::object& rows, const py::object& columns, const py::object& out,
             const py::dict& keywords) {
  const AttentionRun run = run_of(query, key, lse, keywords);
  const Selection queries = selection_of(rows, "rows");
  const Selection keys = selection_of(columns, "columns");
  const TensorView out_view = mutable_view(out, "out");
  compute([&] { attention_weights(run, queries, keys, out_view); });
}

void top(const py::object& query, const py::object& key, const py::object& lse,
         const py::object& indices, const py::object& top_weights, const py::dict& keywords) {
  const AttentionRun run = run_of(query, key, lse, keywords);
  const TensorView indices_view = mutable_view(indices, "indices");
  const TensorView weights_view = mutable_view(top_weights, "weights");
  compute([&] { top_attention_weights(run, indices_view, weights_view); });
}

void column_sums(const py::object& query, const py::object& key, const py::object& lse,
                 const py::object& out, const py::dict& keywords) {
  const AttentionRun run = run_of(query, key, lse, keywords);
  const TensorView out_view = mutable_view(out, "out");
  compute([&] { attention_column_sums(run, out_view); });
}

void entropy(const py::object& query, const py::object& key, const py::object& lse,
             const py::object& out, const py::dict& keywords) {
  const AttentionRun run = run_of(query, key, lse, keywords);
  const TensorView out_view = mutable_view(out, "out");
  compute([&] { attention_entropy(run, out_view); });
}

void map(const py::object& query, const py::object& key, const py::object& lse,
         std::int64_t first_row, std::int64_t end_row, std::int64_t first_key, std::int64_t end_key,
         bool largest, const py::object& out, const py::dict& keywords) {
  check_end(end_row);
  check_end(end_key);
  const AttentionRun run = run_of(query, key, lse, keywords);
  const TensorView out_view = mutable_view(out, "out");
  compute([&] {
    attention_map(run, {first_row, end_row, {}}, {first_key, end_key, {}},
                  largest ? Pooling::max : Pooling::mean, out_view);
  });
}

}  // namespace

void add_weights_functions(py::module_& module) {
  module.def("attention_weights", &weights);
  module.def("top_attention_weights", &top);
  module.def("attention_column_sums", &column_sums);
  module.def("attention_entropy", &entropy);
  module.def("attention_map", &map);
}

}  // namespace limelight::python
