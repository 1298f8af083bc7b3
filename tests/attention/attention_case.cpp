#include "attention/attention_case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/element.h"

namespace limelight::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor integers(const std::vector<std::int64_t>& values) {
  Tensor tensor;
  if (values.empty()) return tensor;
  tensor = Tensor(DType::i64, {static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) {
    tensor.set(static_cast<std::int64_t>(i), static_cast<double>(values[i]));
  }
  return tensor;
}

Tensor random_mask(const std::vector<std::int64_t>& sizes, std::mt19937& random) {
  if (sizes.empty()) return {};
  Tensor mask(DType::boolean, sizes);
  for (std::int64_t i = 0; i < mask.elements(); ++i) mask.set(i, random() % 3 != 0);
  return mask;
}

Tensor random_bias(const std::vector<std::int64_t>& sizes, DType dtype, std::mt19937& random) {
  if (sizes.empty()) return {};
  Tensor bias(dtype, sizes);
  bias.fill_normal(random);
  for (std::int64_t i = 0; i < bias.elements(); ++i) {
    if (random() % 7 == 0) bias.set(i, -kInfinity);
  }
  return bias;
}

/// Three documents one after the other, of about equal length.
Tensor consecutive_documents(std::int64_t batch, std::int64_t length) {
  Tensor documents(DType::i32, {batch, length});
  for (std::int64_t i = 0; i < batch * length; ++i) {
    documents.set(i, static_cast<double>((i % length + i / length) * 3 / (length + 1)));
  }
  return documents;
}

}  // namespace

Tensor::Tensor(DType dtype, std::vector<std::int64_t> sizes)
    : dtype_(dtype), sizes_(std::move(sizes)) {
  bytes_.resize(static_cast<std::size_t>(elements()) * size_of(dtype));
}

std::int64_t Tensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes_) count *= size;
  return count;
}

TensorView Tensor::view() {
  return empty() ? TensorView() : TensorView(bytes_.data(), dtype_, sizes_);
}
ConstTensorView Tensor::view() const {
  return empty() ? ConstTensorView() : ConstTensorView(bytes_.data(), dtype_, sizes_);
}

double Tensor::get(std::int64_t i) const {
  if (dtype_ == DType::boolean) return std::to_integer<int>(bytes_[static_cast<std::size_t>(i)]);
  if (dtype_ == DType::i32 || dtype_ == DType::i64) {
    return static_cast<double>(read_integer(bytes_.data(), dtype_, i));
  }
  return read_number(bytes_.data(), dtype_, i);
}

void Tensor::set(std::int64_t i, double value) {
  if (dtype_ == DType::boolean) {
    bytes_[static_cast<std::size_t>(i)] = static_cast<std::byte>(value != 0);
  } else if (dtype_ == DType::i32) {
    view().data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
  } else if (dtype_ == DType::i64) {
    view().data<std::int64_t>()[i] = static_cast<std::int64_t>(value);
  } else {
    write_number(bytes_.data(), dtype_, i, value);
  }
}

std::vector<double> Tensor::values() const {
  std::vector<double> result;
  for (std::int64_t i = 0; i < elements(); ++i) result.push_back(get(i));
  return result;
}

void Tensor::fill(double value) {
  for (std::int64_t i = 0; i < elements(); ++i) set(i, value);
}

void Tensor::fill_normal(std::mt19937& random, double deviation) {
  std::normal_distribution<double> normal(0, deviation);
  for (std::int64_t i = 0; i < elements(); ++i) set(i, normal(random));
}

AttentionCase::AttentionCase(const CaseSpec& wanted, DType dtype, unsigned seed) : spec(wanted) {
  std::mt19937 random(seed);
  const auto normal = [&](std::vector<std::int64_t> sizes) {
    Tensor tensor(dtype, std::move(sizes));
    tensor.fill_normal(random, spec.deviation);
    return tensor;
  };
  query = normal({spec.batch, spec.num_heads, spec.q_len, spec.head_dim});
  key = normal({spec.batch, spec.num_kv_heads, spec.new_len, spec.head_dim});
  value = normal({spec.batch, spec.num_kv_heads, spec.new_len, spec.value_dim});
  grad_out = normal({spec.batch, spec.num_heads, spec.q_len, spec.value_dim});
  if (spec.past_len > 0) {
    past_key = normal({spec.batch, spec.num_kv_heads, spec.past_len, spec.head_dim});
    past_value = normal({spec.batch, spec.num_kv_heads, spec.past_len, spec.value_dim});
  }
  key_lengths = integers(spec.key_lengths);
  cu_seqlens_query = integers(spec.cu_seqlens_query);
  cu_seqlens_key = integers(spec.cu_seqlens_key);
  mask = random_mask(spec.mask_sizes, random);
  bias = random_bias(spec.bias_sizes, dtype, random);
  if (spec.alibi) {
    slopes = Tensor(dtype, {spec.num_heads});
    for (std::int64_t h = 0; h < spec.num_heads; ++h) slopes.set(h, std::exp2(-1.0 - double(h)));
  }
  if (spec.documents) {
    query_documents = consecutive_documents(spec.batch, spec.q_len);
    key_documents = consecutive_documents(spec.batch, spec.past_len + spec.new_len);
  }
  if (spec.sinks) {
    sinks = Tensor(dtype, {spec.num_heads});
    sinks.fill_normal(random);
  }
}

AttentionOptions AttentionCase::options() const {
  AttentionOptions options;
  options.softmax_scale = spec.softmax_scale;
  options.causal = spec.causal;
  options.window = spec.window;
  options.past_key = past_key.view();
  options.past_value = past_value.view();
  options.key_lengths = key_lengths.view();
  options.cu_seqlens_query = cu_seqlens_query.view();
  options.cu_seqlens_key = cu_seqlens_key.view();
  options.mask = mask.view();
  options.bias = bias.view();
  if (spec.alibi) options.alibi = Alibi{*spec.alibi, slopes.view()};
  options.query_documents = query_documents.view();
  options.key_documents = key_documents.view();
  options.softcap = spec.softcap;
  options.sinks = sinks.view();
  options.dropout = spec.dropout;
  return options;
}

CaseSpec one_head(std::int64_t q_len, std::int64_t kv_len, std::int64_t dim) {
  return {.batch = 1,
          .num_heads = 1,
          .num_kv_heads = 1,
          .q_len = q_len,
          .new_len = kv_len,
          .head_dim = dim,
          .value_dim = dim};
}

std::vector<std::pair<std::string, const Tensor*>> BackwardResult::named() const {
  std::vector<std::pair<std::string, const Tensor*>> all = {
      {"query", &query},           {"key", &key},   {"value", &value}, {"past_key", &past_key},
      {"past_value", &past_value}, {"bias", &bias}, {"sinks", &sinks}};
  std::erase_if(all, [](const auto& entry) { return entry.second->empty(); });
  return all;
}

ForwardResult run_forward(const AttentionCase& inputs, DType result) {
  ForwardResult forward;
  std::vector<std::int64_t> sizes = inputs.query.sizes();
  sizes[3] = inputs.value.sizes()[3];
  forward.out = Tensor(result, sizes);
  sizes.pop_back();
  forward.lse = Tensor(result == DType::f64 ? DType::f64 : DType::f32, sizes);
  attention(inputs.query.view(), inputs.key.view(), inputs.value.view(), forward.out.view(),
            inputs.options(), forward.lse.view());
  return forward;
}

BackwardResult run_backward(const AttentionCase& inputs, const ForwardResult& forward,
                            DType result) {
  const auto like = [&](const Tensor& tensor) {
    return tensor.empty() ? Tensor() : Tensor(result, tensor.sizes());
  };
  BackwardResult backward = {like(inputs.query),    like(inputs.key),        like(inputs.value),
                             like(inputs.past_key), like(inputs.past_value), like(inputs.bias),
                             like(inputs.sinks)};
  AttentionGradients gradients;
  gradients.query = backward.query.view();
  gradients.key = backward.key.view();
  gradients.value = backward.value.view();
  gradients.past_key = backward.past_key.view();
  gradients.past_value = backward.past_value.view();
  gradients.bias = backward.bias.view();
  gradients.sinks = backward.sinks.view();
  attention_backward(inputs.query.view(), inputs.key.view(), inputs.value.view(),
                     forward.out.view(), forward.lse.view(), inputs.grad_out.view(), gradients,
                     inputs.options());
  return backward;
}

std::vector<CaseSpec> option_specs() {
  constexpr auto kTop = CausalAlignment::top_left;
  constexpr auto kBottom = CausalAlignment::bottom_right;
  constexpr auto kUnlimited = SlidingWindow::kUnlimited;
  std::vector<CaseSpec> specs = {
      {.name = "plain"},
      {.name = "scale", .softmax_scale = 0.3},
      {.name = "negative_scale", .softmax_scale = -0.3},
      {.name = "gqa", .num_heads = 4},
      {.name = "mqa", .num_heads = 3, .num_kv_heads = 1},
      {.name = "value_dim_wider", .head_dim = 3, .value_dim = 7},
      {.name = "value_dim_narrower", .head_dim = 5, .value_dim = 1},
      {.name = "head_dim_1", .head_dim = 1, .value_dim = 1},
      {.name = "one_query", .q_len = 1},
      {.name = "one_key", .new_len = 1},
      {.name = "causal_top_left", .causal = kTop},
      {.name = "causal_bottom_right", .causal = kBottom},
      {.name = "causal_top_left_tall", .q_len = 7, .new_len = 5, .causal = kTop},
      {.name = "causal_bottom_right_empty_rows", .q_len = 7, .new_len = 5, .causal = kBottom},
      {.name = "window", .window = SlidingWindow{kBottom, 2, 1}},
      {.name = "window_left_only", .window = SlidingWindow{kTop, 1, kUnlimited}},
      {.name = "window_right_only", .window = SlidingWindow{kTop, kUnlimited, 2}},
      {.name = "window_empty_rows", .q_len = 9, .new_len = 4, .window = SlidingWindow{kTop, 1, 0}},
      {.name = "causal_window", .causal = kBottom, .window = SlidingWindow{kBottom, 3, 2}},
      {.name = "past", .past_len = 3},
      {.name = "past_causal_top_left", .past_len = 3, .causal = kTop},
      {.name = "past_causal_bottom_right", .new_len = 5, .past_len = 4, .causal = kBottom},
      {.name = "key_lengths", .key_lengths = {4, 0}},
      {.name = "key_lengths_causal", .causal = kBottom, .key_lengths = {7, 3}},
      {.name = "past_key_lengths", .past_len = 3, .key_lengths = {2, 9}},
      {.name = "ragged",
       .batch = 1,
       .q_len = 9,
       .new_len = 11,
       .cu_seqlens_query = {0, 4, 4, 9},
       .cu_seqlens_key = {0, 3, 5, 11}},
      {.name = "ragged_causal",
       .batch = 1,
       .q_len = 9,
       .new_len = 9,
       .causal = kBottom,
       .cu_seqlens_query = {0, 4, 5, 9},
       .cu_seqlens_key = {0, 4, 5, 9}},
      {.name = "mask_full", .mask_sizes = {2, 2, 5, 7}},
      {.name = "mask_of_keys", .mask_sizes = {2, 1, 1, 7}},
      {.name = "mask_2d_causal", .causal = kBottom, .mask_sizes = {5, 7}},
      {.name = "bias_full", .bias_sizes = {2, 2, 5, 7}},
      {.name = "bias_of_heads", .bias_sizes = {2, 5, 7}},
      {.name = "bias_of_keys", .bias_sizes = {7}},
      {.name = "bias_of_queries", .bias_sizes = {2, 1, 5, 1}},
      {.name = "alibi", .alibi = kBottom},
      {.name = "alibi_causal", .causal = kTop, .alibi = kTop},
      {.name = "documents", .documents = true},
      {.name = "documents_causal", .new_len = 5, .causal = kTop, .documents = true},
      {.name = "softcap", .softcap = 0.7},
      {.name = "sinks", .sinks = true},
      {.name = "sinks_empty_rows", .q_len = 7, .new_len = 5, .causal = kBottom, .sinks = true},
      {.name = "dropout", .dropout = Dropout{0.3, 5, 2}},
  };
  specs.push_back({.name = "everything",
                   .num_heads = 4,
                   .q_len = 6,
                   .new_len = 6,
                   .past_len = 3,
                   .head_dim = 3,
                   .value_dim = 5,
                   .softmax_scale = 0.8,
                   .causal = kBottom,
                   .window = SlidingWindow{kBottom, 5, 0},
                   .key_lengths = {9, 7},
                   .mask_sizes = {2, 1, 6, 9},
                   .bias_sizes = {1, 4, 6, 9},
                   .alibi = kBottom,
                   .documents = true,
                   .softcap = 2,
                   .sinks = true,
                   .dropout = Dropout{0.2, 77, 1}});
  specs.push_back({.name = "everything_ragged",
                   .batch = 1,
                   .num_heads = 2,
                   .num_kv_heads = 1,
                   .q_len = 9,
                   .new_len = 11,
                   .window = SlidingWindow{kTop, 3, 3},
                   .cu_seqlens_query = {0, 4, 9},
                   .cu_seqlens_key = {0, 5, 11},
                   .mask_sizes = {9, 11},
                   .bias_sizes = {2, 9, 11},
                   .alibi = kTop,
                   .documents = true,
                   .softcap = 3,
                   .sinks = true,
                   .dropout = Dropout{0.1, 3, 0}});
  return specs;
}

std::vector<CaseSpec> wide_specs() {
  std::vector<CaseSpec> specs;
  const auto scaled = [](std::int64_t extent) { return extent <= 1 ? extent : extent * 23 + 3; };
  for (CaseSpec spec : option_specs()) {
    const std::int64_t q_len = spec.q_len;
    const std::int64_t kv_len = spec.past_len + spec.new_len;
    spec.q_len = scaled(spec.q_len);
    spec.past_len = spec.past_len == 0 ? 0 : scaled(spec.past_len);
    spec.new_len = scaled(spec.new_len);
    const auto widen = [&](std::vector<std::int64_t>& sizes) {
      for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
        const std::size_t from_end = sizes.size() - axis;
        if (from_end == 1 && sizes[axis] == kv_len) sizes[axis] = spec.past_len + spec.new_len;
        if (from_end == 2 && sizes[axis] == q_len) sizes[axis] = spec.q_len;
      }
    };
    widen(spec.mask_sizes);
    widen(spec.bias_sizes);
    for (std::int64_t& length : spec.key_lengths) {
      length = length == kv_len ? spec.past_len + spec.new_len : length * 23;
    }
    if (!spec.cu_seqlens_query.empty()) {
      for (std::int64_t& start : spec.cu_seqlens_query) start *= 23;
      for (std::int64_t& start : spec.cu_seqlens_key) start *= 23;
      spec.cu_seqlens_query.back() = spec.q_len;
      spec.cu_seqlens_key.back() = spec.new_len;
    }
    if (spec.window) {
      if (spec.window->left > 0) spec.window->left *= 23;
      if (spec.window->right > 0) spec.window->right *= 23;
    }
    specs.push_back(spec);
  }
  for (const std::int64_t dim : {1, 16, 64, 80, 128, 512}) {
    specs.push_back({.name = "dims_" + std::to_string(dim),
                     .q_len = 50,
                     .new_len = 150,
                     .head_dim = dim,
                     .value_dim = dim,
                     .causal = CausalAlignment::bottom_right});
  }
  return specs;
}

Tensor slice(const Tensor& tensor, std::size_t axis, std::int64_t begin, std::int64_t count) {
  if (tensor.empty()) return {};
  std::vector<std::int64_t> sizes = tensor.sizes();
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (std::size_t a = 0; a < axis; ++a) outer *= sizes[a];
  for (std::size_t a = axis + 1; a < sizes.size(); ++a) inner *= sizes[a];
  const std::int64_t extent = sizes[axis];
  sizes[axis] = count;
  Tensor part(tensor.dtype(), sizes);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < count * inner; ++i) {
      part.set(o * count * inner + i, tensor.get((o * extent + begin) * inner + i));
    }
  }
  return part;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.get(i);
    const double y = b.get(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double difference = std::abs(x - y);
    largest = std::isnan(difference) ? kInfinity : std::max(largest, difference);
    if (largest == kInfinity) break;
  }
  return largest;
}

double largest_magnitude(const Tensor& a) {
  double largest = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) largest = std::max(largest, std::abs(a.get(i)));
  return largest;
}

}  // namespace limelight::test
