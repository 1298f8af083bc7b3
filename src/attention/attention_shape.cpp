#include "attention/attention_shape.h"

#include <cmath>
#include <string>

namespace limelight {
namespace {

std::string text_of(std::initializer_list<std::int64_t> sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + "]";
}

[[noreturn]] void refuse(const std::string& name, const std::string& expected,
                         const std::string& found) {
  throw Error(name + ": expected " + expected + ", got " + found);
}

void check_rank_4(const char* name, const ConstTensorView& view) {
  if (view.rank() != 4) refuse(name, "4 axes [batch, heads, length, dim]", view.shape_string());
  for (int axis = 0; axis < 4; ++axis) {
    if (view.size(axis) < 0) refuse(name, "sizes of 0 or more", view.shape_string());
  }
}

}  // namespace

void check_view(const char* name, const ConstTensorView& view, DType dtype,
                std::initializer_list<std::int64_t> sizes) {
  if (!std::equal(sizes.begin(), sizes.end(), view.sizes().begin(), view.sizes().end())) {
    refuse(name, text_of(sizes), view.shape_string());
  }
  if (view.dtype() != dtype) {
    refuse(name, std::string(name_of(dtype)), std::string(name_of(view.dtype())));
  }
  const int last = view.rank() - 1;
  if (view.size(last) > 1 && view.stride(last) != 1) {
    refuse(name, "a last stride of 1", std::to_string(view.stride(last)));
  }
  if (view.raw() == nullptr && view.elements() > 0) refuse(name, "data", "a null pointer");
}

AttentionShape check_attention(const ConstTensorView& query, const ConstTensorView& key,
                               const ConstTensorView& value, const ConstTensorView& out,
                               const ConstTensorView& lse, const AttentionOptions& options) {
  check_rank_4("query", query);
  check_rank_4("key", key);
  check_rank_4("value", value);
  AttentionShape shape;
  shape.batch = query.size(0);
  shape.num_heads = query.size(1);
  shape.num_kv_heads = key.size(1);
  shape.q_len = query.size(2);
  shape.kv_len = key.size(2);
  shape.head_dim = query.size(3);
  shape.value_dim = value.size(3);
  const DType dtype = query.dtype();
  if (dtype != DType::f32 && dtype != DType::f64) {
    refuse("query", "f32 or f64", std::string(name_of(dtype)));
  }
  if (shape.num_kv_heads < 1 || shape.num_heads % shape.num_kv_heads != 0) {
    refuse("key", "a number of heads that divides query's " + std::to_string(shape.num_heads),
           std::to_string(shape.num_kv_heads));
  }
  if (shape.head_dim < 1) refuse("query", "a head_dim of at least 1", query.shape_string());
  check_view("query", query, dtype, {shape.batch, shape.num_heads, shape.q_len, shape.head_dim});
  check_view("key", key, dtype, {shape.batch, shape.num_kv_heads, shape.kv_len, shape.head_dim});
  check_view("value", value, dtype,
             {shape.batch, shape.num_kv_heads, shape.kv_len, shape.value_dim});
  check_view("out", out, dtype, {shape.batch, shape.num_heads, shape.q_len, shape.value_dim});
  if (!lse.empty()) check_view("lse", lse, dtype, {shape.batch, shape.num_heads, shape.q_len});

  shape.softmax_scale =
      options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(shape.head_dim)));
  if (!std::isfinite(shape.softmax_scale)) {
    refuse("softmax_scale", "a finite number", std::to_string(shape.softmax_scale));
  }
  if (options.causal) {
    shape.causal = true;
    shape.causal_offset =
        *options.causal == CausalAlignment::bottom_right ? shape.kv_len - shape.q_len : 0;
  }
  return shape;
}

}  // namespace limelight
