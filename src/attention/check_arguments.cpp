#include "attention/check_arguments.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "attention/check_parts.h"
#include "attention/check_view.h"
#include "attention/element.h"
#include "attention/memory_overlap.h"

namespace limelight {
namespace {

constexpr std::initializer_list<DType> kIntegers = {DType::i32, DType::i64};
constexpr std::initializer_list<DType> kNumbers = {DType::f64, DType::f32, DType::bf16, DType::f16};

// ---- Inputs ----

AttentionShape read_shape(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                          const AttentionOptions& options) {
  check_rank("query", query, 4, "[batch, num_heads, q_len, head_dim]");
  check_rank("key", key, 4, "[batch, num_kv_heads, new_len, head_dim]");
  check_rank("value", value, 4, "[batch, num_kv_heads, new_len, value_dim]");
  AttentionShape shape;
  shape.batch = query.size(0);
  shape.num_heads = query.size(1);
  shape.num_kv_heads = key.size(1);
  shape.q_len = query.size(2);
  shape.new_len = key.size(2);
  shape.head_dim = query.size(3);
  shape.value_dim = value.size(3);
  if (!options.past_key.empty()) {
    check_rank("past_key", options.past_key, 4, "[batch, num_kv_heads, past_len, head_dim]");
    shape.past_len = options.past_key.size(2);
  }
  return shape;
}

void check_inputs(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                  const AttentionShape& shape) {
  check_shape("key", key, {shape.batch, kAnySize, kAnySize, shape.head_dim},
              "[batch, num_kv_heads, new_len, head_dim]");
  check_shape("value", value, {shape.batch, shape.num_kv_heads, shape.new_len, kAnySize},
              "[batch, num_kv_heads, new_len, value_dim]");
  for (const auto& [name, view] :
       {NamedView{"query", query}, NamedView{"key", key}, NamedView{"value", value}}) {
    check_memory(name, view, true);
    check_dtype(name, view, kNumbers);
  }
  check_dtype("key", key, {query.dtype()});
  check_dtype("value", value, {query.dtype()});
  check_heads(query, shape);
}

// ---- Options: each on its own ----

void check_past(const AttentionOptions& options, const AttentionShape& shape, DType dtype) {
  if (options.past_key.empty() != options.past_value.empty()) {
    throw Error(options.past_key.empty()
                    ? "past_value: expected past_key beside it, got past_value alone"
                    : "past_key: expected past_value beside it, got past_key alone");
  }
  if (options.past_key.empty()) return;
  check_shape("past_key", options.past_key,
              {shape.batch, shape.num_kv_heads, kAnySize, shape.head_dim},
              "[batch, num_kv_heads, past_len, head_dim]");
  check_shape("past_value", options.past_value,
              {shape.batch, shape.num_kv_heads, shape.past_len, shape.value_dim},
              "[batch, num_kv_heads, past_len, value_dim]");
  check_memory("past_key", options.past_key, true);
  check_memory("past_value", options.past_value, true);
  check_dtype("past_key", options.past_key, {dtype});
  check_dtype("past_value", options.past_value, {dtype});
}

void check_key_lengths(ConstTensorView lengths, const AttentionShape& shape) {
  if (lengths.empty()) return;
  check_shape("key_lengths", lengths, {shape.batch}, "[batch]");
  check_memory("key_lengths", lengths, false);
  check_dtype("key_lengths", lengths, kIntegers);
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const std::int64_t length = read_integer(lengths.raw(), lengths.dtype(), b * lengths.stride(0));
    if (length < 0 || length > shape.kv_len()) {
      throw Error("key_lengths: expected 0 to kv_len = " + std::to_string(shape.kv_len()) +
                  ", got " + std::to_string(length) + " at index " + std::to_string(b));
    }
  }
}

void check_cu_seqlens(const std::string& name, ConstTensorView view, std::int64_t total,
                      const char* total_name) {
  check_rank(name, view, 1, "[sequences + 1]");
  check_memory(name, view, false);
  check_dtype(name, view, kIntegers);
  if (view.size(0) < 1) throw Error(name + ": expected at least one element, got shape [0]");
  const auto at = [&](std::int64_t i) {
    return read_integer(view.raw(), view.dtype(), i * view.stride(0));
  };
  if (at(0) != 0) {
    throw Error(name + ": expected 0 as its first element, got " + std::to_string(at(0)));
  }
  for (std::int64_t i = 1; i < view.size(0); ++i) {
    if (at(i) < at(i - 1)) {
      throw Error(name + ": expected elements that never fall, got " + std::to_string(at(i - 1)) +
                  " then " + std::to_string(at(i)) + " at index " + std::to_string(i));
    }
  }
  const std::int64_t last = at(view.size(0) - 1);
  if (last != total) {
    throw Error(name + ": expected " + total_name + " = " + std::to_string(total) +
                " as its last element, got " + std::to_string(last));
  }
}

void check_ragged(const AttentionOptions& options, const AttentionShape& shape) {
  const ConstTensorView& of_query = options.cu_seqlens_query;
  const ConstTensorView& of_key = options.cu_seqlens_key;
  if (of_query.empty() != of_key.empty()) {
    throw Error(of_query.empty()
                    ? "cu_seqlens_key: expected cu_seqlens_query beside it, got it alone"
                    : "cu_seqlens_query: expected cu_seqlens_key beside it, got it alone");
  }
  if (of_query.empty()) return;
  if (shape.batch != 1) {
    throw Error("cu_seqlens_query: expected tensors of batch 1, their sequences one after the " +
                std::string("other, got a batch of ") + std::to_string(shape.batch));
  }
  check_cu_seqlens("cu_seqlens_query", of_query, shape.q_len, "q_len");
  check_cu_seqlens("cu_seqlens_key", of_key, shape.new_len, "kv_len");
  if (of_query.size(0) != of_key.size(0)) {
    throw Error("cu_seqlens_key: expected as many elements as cu_seqlens_query, " +
                std::to_string(of_query.size(0)) + ", got " + std::to_string(of_key.size(0)));
  }
}

void check_broadcast_option(const char* name, ConstTensorView view, const AttentionShape& shape,
                            std::initializer_list<DType> dtypes) {
  if (view.empty()) return;
  check_memory(name, view, false);
  check_broadcasts(name, view, {shape.batch, shape.num_heads, shape.q_len, shape.kv_len()},
                   "[batch, num_heads, q_len, kv_len]");
  check_dtype(name, view, dtypes);
}

void check_documents(const AttentionOptions& options, const AttentionShape& shape) {
  const ConstTensorView& of_query = options.query_documents;
  const ConstTensorView& of_key = options.key_documents;
  if (of_query.empty() != of_key.empty()) {
    throw Error(of_query.empty()
                    ? "key_documents: expected query_documents beside it, got it alone"
                    : "query_documents: expected key_documents beside it, got it alone");
  }
  if (of_query.empty()) return;
  check_shape("query_documents", of_query, {shape.batch, shape.q_len}, "[batch, q_len]");
  check_shape("key_documents", of_key, {shape.batch, shape.kv_len()}, "[batch, kv_len]");
  for (const auto& [name, view] :
       {NamedView{"query_documents", of_query}, NamedView{"key_documents", of_key}}) {
    check_memory(name, view, false);
    check_dtype(name, view, kIntegers);
  }
}

void check_alibi(const std::optional<Alibi>& alibi, const AttentionShape& shape) {
  if (!alibi) return;
  const ConstTensorView& slopes = alibi->slopes;
  if (slopes.rank() == 2) {
    check_shape("alibi.slopes", slopes, {shape.batch, shape.num_heads}, "[batch, num_heads]");
  } else {
    check_shape("alibi.slopes", slopes, {shape.num_heads}, "[num_heads]");
  }
  check_memory("alibi.slopes", slopes, false);
  check_dtype("alibi.slopes", slopes, kNumbers);
}

void check_sinks(ConstTensorView sinks, const AttentionShape& shape) {
  if (sinks.empty()) return;
  check_shape("sinks", sinks, {shape.num_heads}, "[num_heads]");
  check_memory("sinks", sinks, false);
  check_dtype("sinks", sinks, kNumbers);
}

void check_window_side(const char* name, std::int64_t keys) {
  if (keys >= 0 || keys == SlidingWindow::kUnlimited) return;
  throw Error(std::string(name) + ": expected 0 or more keys, or kUnlimited, got " +
              std::to_string(keys));
}

void check_plain_values(const AttentionOptions& options) {
  if (options.softmax_scale && !std::isfinite(*options.softmax_scale)) {
    throw Error("softmax_scale: expected a finite number, got " +
                std::to_string(*options.softmax_scale));
  }
  if (options.softcap && !(std::isfinite(*options.softcap) && *options.softcap > 0)) {
    throw Error("softcap: expected a finite number above 0, got " +
                std::to_string(*options.softcap));
  }
  if (options.window) {
    check_window_side("window.left", options.window->left);
    check_window_side("window.right", options.window->right);
  }
  if (options.dropout && !(options.dropout->probability >= 0 && options.dropout->probability < 1)) {
    throw Error("dropout.probability: expected 0 or more and less than 1, got " +
                std::to_string(options.dropout->probability));
  }
}

// ---- Options that contradict each other ----

const char* name_of(CausalAlignment alignment) {
  return alignment == CausalAlignment::top_left ? "top_left" : "bottom_right";
}

void check_alignments_agree(const AttentionOptions& options) {
  std::vector<std::pair<const char*, CausalAlignment>> named;
  if (options.causal) named.emplace_back("causal", *options.causal);
  if (options.window) named.emplace_back("window", options.window->alignment);
  if (options.alibi) named.emplace_back("alibi", options.alibi->alignment);
  for (const auto& [name, alignment] : named) {
    if (alignment == named.front().second) continue;
    throw Error(std::string(named.front().first) + " and " + name +
                ": expected one alignment, got " + name_of(named.front().second) + " and " +
                name_of(alignment));
  }
}

void check_contradictions(const AttentionOptions& options) {
  check_alignments_agree(options);
  if (options.cu_seqlens_query.empty()) return;
  const std::initializer_list<NamedView> excluded = {{"key_lengths", options.key_lengths},
                                                     {"past_key", options.past_key}};
  for (const auto& [name, view] : excluded) {
    if (view.empty()) continue;
    throw Error(std::string("cu_seqlens_key and ") + name +
                ": expected one of them, for both say where a sequence's keys end; got both");
  }
}

}  // namespace

void check_heads(ConstTensorView query, const AttentionShape& shape) {
  if (shape.head_dim < 1) {
    throw Error("query: expected a head_dim of at least 1, got shape " + query.shape_string());
  }
  const bool whole_groups =
      shape.num_kv_heads == 0 ? shape.num_heads == 0 : shape.num_heads % shape.num_kv_heads == 0;
  if (!whole_groups) {
    throw Error("query: expected num_heads to be a multiple of key's num_kv_heads " +
                std::to_string(shape.num_kv_heads) + ", got " + std::to_string(shape.num_heads));
  }
}

void check_options(const AttentionOptions& options, const AttentionShape& shape, DType dtype) {
  check_plain_values(options);
  check_contradictions(options);
  check_past(options, shape, dtype);
  check_key_lengths(options.key_lengths, shape);
  check_ragged(options, shape);
  check_broadcast_option("mask", options.mask, shape, {DType::boolean, DType::u8});
  check_broadcast_option("bias", options.bias, shape, kNumbers);
  check_documents(options, shape);
  check_alibi(options.alibi, shape);
  check_sinks(options.sinks, shape);
}

namespace {

// ---- Results ----

/// The type given or a wider one. bf16 and f16 are not one wider than the other.
void check_holds(const char* name, ConstTensorView view, DType dtype) {
  if (dtype == DType::f64) {
    check_dtype(name, view, {DType::f64});
  } else if (dtype == DType::f32) {
    check_dtype(name, view, {DType::f32, DType::f64});
  } else {
    check_dtype(name, view, {dtype, DType::f32, DType::f64});
  }
}

void check_out(ConstTensorView out, const AttentionShape& shape, DType dtype) {
  check_shape("out", out, {shape.batch, shape.num_heads, shape.q_len, shape.value_dim},
              "[batch, num_heads, q_len, value_dim]");
  check_memory("out", out, true);
  check_holds("out", out, dtype);
}

}  // namespace

void check_lse(ConstTensorView lse, const AttentionShape& shape) {
  check_shape("lse", lse, {shape.batch, shape.num_heads, shape.q_len}, "[batch, num_heads, q_len]");
  check_memory("lse", lse, false);
  check_dtype("lse", lse, {DType::f32, DType::f64});
}

namespace {

/// `like` is what the gradient is of.
void check_gradient(const char* name, ConstTensorView gradient, const char* like_name,
                    ConstTensorView like, bool dense_rows) {
  if (gradient.empty()) return;
  if (like.empty()) {
    throw Error(std::string(name) + ": expected " + like_name +
                " beside it, whose gradient it is; got it alone");
  }
  const bool same = std::equal(gradient.sizes().begin(), gradient.sizes().end(),
                               like.sizes().begin(), like.sizes().end());
  if (!same) {
    throw Error(std::string(name) + ": expected " + like_name + "'s shape " + like.shape_string() +
                ", got " + gradient.shape_string());
  }
  check_memory(name, gradient, dense_rows);
  check_holds(name, gradient, like.dtype());
}

std::vector<NamedView> inputs_of(ConstTensorView query, ConstTensorView key, ConstTensorView value,
                                 const AttentionOptions& options) {
  std::vector<NamedView> inputs = inputs_of(options);
  inputs.insert(inputs.begin(), {{"query", query}, {"key", key}, {"value", value}});
  return inputs;
}

}  // namespace

std::vector<NamedView> inputs_of(const AttentionOptions& options) {
  return {{"past_key", options.past_key},
          {"past_value", options.past_value},
          {"key_lengths", options.key_lengths},
          {"cu_seqlens_query", options.cu_seqlens_query},
          {"cu_seqlens_key", options.cu_seqlens_key},
          {"mask", options.mask},
          {"bias", options.bias},
          {"alibi.slopes", options.alibi ? options.alibi->slopes : ConstTensorView()},
          {"query_documents", options.query_documents},
          {"key_documents", options.key_documents},
          {"sinks", options.sinks}};
}

void check_apart(const std::vector<NamedView>& inputs, const std::vector<NamedView>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& [name, view] = outputs[i];
    if (view.empty()) continue;
    check_writable(name, view);
    const auto check_against = [&, named = name, written = view](const NamedView& other) {
      if (!views_overlap(written, other.view)) return;
      throw Error(std::string(named) + ": is written, so expected memory of its own, got memory " +
                  "that overlaps " + other.name);
    };
    for (const NamedView& input : inputs) check_against(input);
    for (std::size_t j = 0; j < i; ++j) check_against(outputs[j]);
  }
}

AttentionShape check_forward(const ForwardArguments& arguments, const AttentionOptions& options) {
  const auto& [query, key, value, out, lse] = arguments;
  const AttentionShape shape = read_shape(query, key, value, options);
  check_inputs(query, key, value, shape);
  check_options(options, shape, query.dtype());
  check_out(out, shape, query.dtype());
  if (!lse.empty()) check_lse(lse, shape);
  check_apart(inputs_of(query, key, value, options), {{"out", out}, {"lse", lse}});
  return shape;
}

AttentionShape check_backward(const BackwardArguments& arguments, const AttentionOptions& options) {
  const auto& [query, key, value, out, lse, grad_out, gradients] = arguments;
  const AttentionShape shape = read_shape(query, key, value, options);
  check_inputs(query, key, value, shape);
  check_options(options, shape, query.dtype());
  check_out(out, shape, query.dtype());
  check_lse(lse, shape);
  check_shape("grad_out", grad_out, {shape.batch, shape.num_heads, shape.q_len, shape.value_dim},
              "[batch, num_heads, q_len, value_dim]");
  check_memory("grad_out", grad_out, true);
  check_dtype("grad_out", grad_out, kNumbers);

  check_gradient("grad_query", gradients.query, "query", query, true);
  check_gradient("grad_key", gradients.key, "key", key, true);
  check_gradient("grad_value", gradients.value, "value", value, true);
  check_gradient("grad_past_key", gradients.past_key, "past_key", options.past_key, true);
  check_gradient("grad_past_value", gradients.past_value, "past_value", options.past_value, true);
  check_gradient("grad_bias", gradients.bias, "bias", options.bias, false);
  check_gradient("grad_sinks", gradients.sinks, "sinks", options.sinks, false);

  std::vector<NamedView> inputs = inputs_of(query, key, value, options);
  inputs.insert(inputs.end(), {{"out", out}, {"lse", lse}, {"grad_out", grad_out}});
  check_apart(inputs, {{"grad_query", gradients.query},
                       {"grad_key", gradients.key},
                       {"grad_value", gradients.value},
                       {"grad_past_key", gradients.past_key},
                       {"grad_past_value", gradients.past_value},
                       {"grad_bias", gradients.bias},
                       {"grad_sinks", gradients.sinks}});
  return shape;
}

}  // namespace limelight
