#include "attention/weights/check_weights.h"

#include <string>

#include "attention/check_view.h"
#include "attention/element.h"

namespace limelight {
namespace {

constexpr std::initializer_list<DType> kNumbers = {DType::f64, DType::f32, DType::bf16, DType::f16};

AttentionShape read_shape(const AttentionRun& run) {
  check_rank("query", run.query, 4, "[batch, num_heads, q_len, head_dim]");
  check_rank("key", run.key, 4, "[batch, num_kv_heads, new_len, head_dim]");
  AttentionShape shape;
  shape.batch = run.query.size(0);
  shape.num_heads = run.query.size(1);
  shape.num_kv_heads = run.key.size(1);
  shape.q_len = run.query.size(2);
  shape.new_len = run.key.size(2);
  shape.head_dim = run.query.size(3);
  const AttentionOptions& options = run.options;
  if (!options.past_key.empty()) {
    check_rank("past_key", options.past_key, 4, "[batch, num_kv_heads, past_len, head_dim]");
    shape.past_len = options.past_key.size(2);
  }
  if (!options.past_value.empty()) {
    check_rank("past_value", options.past_value, 4, "[batch, num_kv_heads, past_len, value_dim]");
    shape.value_dim = options.past_value.size(3);
  }
  return shape;
}

std::string range_string(std::int64_t begin, std::int64_t end) {
  return std::to_string(begin) + " to " + std::to_string(end);
}

std::int64_t end_of(const Selection& range, std::int64_t length) {
  return range.end == Selection::kToTheEnd ? length : range.end;
}

}  // namespace

AttentionShape check_run(const AttentionRun& run) {
  const AttentionShape shape = read_shape(run);
  check_shape("key", run.key, {shape.batch, kAnySize, kAnySize, shape.head_dim},
              "[batch, num_kv_heads, new_len, head_dim]");
  check_memory("query", run.query, true);
  check_memory("key", run.key, true);
  check_dtype("query", run.query, kNumbers);
  check_dtype("key", run.key, {run.query.dtype()});
  check_heads(run.query, shape);
  check_options(run.options, shape, run.query.dtype());
  check_lse(run.lse, shape);
  return shape;
}

void check_selection(const char* name, const Selection& selection, std::int64_t length,
                     const char* length_name) {
  const std::string axis = std::string(length_name) + " = " + std::to_string(length);
  if (selection.listed.empty()) {
    const std::int64_t end = end_of(selection, length);
    if (0 <= selection.begin && selection.begin <= end && end <= length) return;
    throw Error(std::string(name) + ": expected a range within 0 to " + axis + ", got " +
                range_string(selection.begin, end));
  }
  const ConstTensorView& listed = selection.listed;
  check_rank(name, listed, 1, "[count]");
  check_memory(name, listed, false);
  check_dtype(name, listed, {DType::i32, DType::i64});
  for (std::int64_t i = 0; i < listed.size(0); ++i) {
    const std::int64_t place = read_integer(listed.raw(), listed.dtype(), i * listed.stride(0));
    if (0 <= place && place < length) continue;
    throw Error(std::string(name) + ": expected 0 to less than " + axis + ", got " +
                std::to_string(place) + " at index " + std::to_string(i));
  }
}

void check_cells(const char* name, const Selection& range, std::int64_t length,
                 const char* length_name, std::int64_t cells) {
  if (!range.listed.empty()) {
    throw Error(std::string(name) + ": expected a range, got a list");
  }
  check_selection(name, range, length, length_name);
  const std::int64_t extent = end_of(range, length) - range.begin;
  if (cells > 0 && extent == 0) {
    throw Error(std::string(name) + ": expected at least one for a map, got " +
                range_string(range.begin, range.begin));
  }
  std::int64_t units = 0;
  if (__builtin_mul_overflow(extent + 1, cells + 1, &units)) {
    throw Error(std::string(name) + ": expected extents whose product fits 64 bits, got " +
                std::to_string(extent) + " in " + std::to_string(cells) + " cells");
  }
}

void check_result(const char* name, TensorView view, std::initializer_list<std::int64_t> sizes,
                  const char* meaning, std::initializer_list<DType> dtypes) {
  check_shape(name, view, sizes, meaning);
  check_memory(name, view, false);
  check_dtype(name, view, dtypes);
}

void check_apart_from(const AttentionRun& run, const std::vector<NamedView>& selections,
                      const std::vector<NamedView>& results) {
  std::vector<NamedView> inputs = inputs_of(run.options);
  inputs.insert(inputs.begin(), {{"query", run.query}, {"key", run.key}, {"lse", run.lse}});
  inputs.insert(inputs.end(), selections.begin(), selections.end());
  check_apart(inputs, results);
}

}  // namespace limelight
