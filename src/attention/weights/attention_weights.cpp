#include <limelight/attention_weights.h>

#include "attention/check_view.h"
#include "attention/weights/check_weights.h"
#include "attention/weights/weights_call.h"

namespace limelight {
namespace {

constexpr std::initializer_list<DType> kResultTypes = {DType::f32, DType::f64};

/// In float64 where that is what goes in or comes out.
template <class Asked>
void answer(const AttentionRun& run, const AttentionShape& shape, DType result,
            const Asked& asked) {
  const Visibility visibility(shape, run.options);
  const WeightsCall call = {run, shape, visibility};
  if (run.query.dtype() == DType::f64 || result == DType::f64) {
    return reference::answer(call, asked);
  }
  simd::answer(call, asked);
}

}  // namespace

void attention_weights(const AttentionRun& run, const Selection& rows, const Selection& columns,
                       TensorView out) {
  const AttentionShape shape = check_run(run);
  check_selection("rows", rows, shape.q_len, "q_len");
  check_selection("columns", columns, shape.kv_len(), "kv_len");
  const SelectedWeights asked = {Places(rows, shape.q_len), Places(columns, shape.kv_len()), out};
  check_result("out", out, {shape.batch, shape.num_heads, asked.queries.size(), asked.keys.size()},
               "[batch, num_heads, rows, columns]", kResultTypes);
  check_apart_from(run, {{"rows", rows.listed}, {"columns", columns.listed}}, {{"out", out}});
  answer(run, shape, out.dtype(), asked);
}

void top_attention_weights(const AttentionRun& run, TensorView indices, TensorView weights) {
  const AttentionShape shape = check_run(run);
  constexpr const char* kMeaning = "[batch, num_heads, q_len, k]";
  check_rank("indices", indices, 4, kMeaning);
  const std::int64_t k = indices.size(3);
  const std::initializer_list<std::int64_t> sizes = {shape.batch, shape.num_heads, shape.q_len, k};
  check_result("indices", indices, sizes, kMeaning, {DType::i32, DType::i64});
  check_result("weights", weights, sizes, kMeaning, kResultTypes);
  check_apart_from(run, {}, {{"indices", indices}, {"weights", weights}});
  answer(run, shape, weights.dtype(), TopWeights{indices, weights});
}

void attention_entropy(const AttentionRun& run, TensorView out) {
  const AttentionShape shape = check_run(run);
  check_result("out", out, {shape.batch, shape.num_heads, shape.q_len}, "[batch, num_heads, q_len]",
               kResultTypes);
  check_apart_from(run, {}, {{"out", out}});
  answer(run, shape, out.dtype(), RowEntropy{out});
}

void attention_map(const AttentionRun& run, const Selection& rows, const Selection& columns,
                   Pooling pooling, TensorView out) {
  const AttentionShape shape = check_run(run);
  check_rank("out", out, 4, "[batch, num_heads, height, width]");
  check_result("out", out, {shape.batch, shape.num_heads, kAnySize, kAnySize},
               "[batch, num_heads, height, width]", kResultTypes);
  check_cells("rows", rows, shape.q_len, "q_len", out.size(2));
  check_cells("columns", columns, shape.kv_len(), "kv_len", out.size(3));
  check_apart_from(run, {}, {{"out", out}});
  if (out.elements() == 0) return;
  answer(run, shape, out.dtype(),
         WeightsMap{rows.begin,
                    columns.begin,
                    {Places(rows, shape.q_len).size(), out.size(2)},
                    {Places(columns, shape.kv_len()).size(), out.size(3)},
                    pooling == Pooling::mean ? CellValue::mean : CellValue::max,
                    out});
}

/// A map of one row of cells, each as wide as a key.
void attention_column_sums(const AttentionRun& run, TensorView out) {
  const AttentionShape shape = check_run(run);
  check_result("out", out, {shape.batch, shape.num_heads, shape.kv_len()},
               "[batch, num_heads, kv_len]", kResultTypes);
  check_apart_from(run, {}, {{"out", out}});
  if (out.elements() == 0) return;
  const std::int64_t sizes[] = {shape.batch, shape.num_heads, 1, shape.kv_len()};
  const std::int64_t strides[] = {out.stride(0), out.stride(1), 0, out.stride(2)};
  const TensorView map(out.raw(), out.dtype(), sizes, strides);
  answer(run, shape, out.dtype(),
         WeightsMap{0, 0, {shape.q_len, 1}, {shape.kv_len(), shape.kv_len()}, CellValue::sum, map});
}

}  // namespace limelight
