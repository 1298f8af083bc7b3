#include "model/parameters.h"

#include <cmath>
#include <numbers>

#include "base/counter_random.h"

namespace limelight {
namespace {

// Tensors start on cache lines.
constexpr std::size_t kAlignment = 16;

}  // namespace

ParameterLayout::ParameterLayout(const TransformerConfig& config) {
  using enum ParameterKind;
  const std::int64_t width = config.width;
  const auto add_bias = [&](const std::string& name, std::int64_t count) {
    if (config.bias) add(name, bias, {count});
  };
  add("wte.weight", embedding, {config.vocab_size, width});
  add("wpe.weight", embedding, {config.context_length, width});
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string h = "h." + std::to_string(layer) + ".";
    add(h + "ln_1.weight", gain, {width});
    add_bias(h + "ln_1.bias", width);
    add(h + "attn.c_attn.weight", linear, {width, 3 * width});
    add_bias(h + "attn.c_attn.bias", 3 * width);
    add(h + "attn.c_proj.weight", residual_linear, {width, width});
    add_bias(h + "attn.c_proj.bias", width);
    add(h + "ln_2.weight", gain, {width});
    add_bias(h + "ln_2.bias", width);
    add(h + "mlp.c_fc.weight", linear, {width, config.inner_width});
    add_bias(h + "mlp.c_fc.bias", config.inner_width);
    add(h + "mlp.c_proj.weight", residual_linear, {config.inner_width, width});
    add_bias(h + "mlp.c_proj.bias", width);
  }
  add("ln_f.weight", gain, {width});
  add_bias("ln_f.bias", width);
  if (!config.tied_output) add("lm_head.weight", output_embedding, {config.vocab_size, width});
}

void ParameterLayout::add(std::string name, ParameterKind kind, std::vector<std::int64_t> shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  entries_.push_back({std::move(name), kind, std::move(shape), size_, count});
  size_ += (count + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t ParameterLayout::parameter_count() const {
  std::size_t count = 0;
  for (const ParameterEntry& entry : entries_) count += entry.count;
  return count;
}

template <class T>
Parameters<T> parameters_in(const TransformerConfig& config, const ParameterLayout& layout,
                            T* buffer) {
  // Walks the entries in the order in which the constructor added them.
  auto entry = layout.entries().begin();
  const auto next = [&] { return buffer + (entry++)->offset; };
  const auto next_bias = [&]() -> T* { return config.bias ? next() : nullptr; };

  Parameters<T> p;
  p.token_embedding = next();
  p.position_embedding = next();
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    BlockParameters<T> block;
    block.ln_1_gain = next();
    block.ln_1_bias = next_bias();
    block.qkv_weight = next();
    block.qkv_bias = next_bias();
    block.attention_out_weight = next();
    block.attention_out_bias = next_bias();
    block.ln_2_gain = next();
    block.ln_2_bias = next_bias();
    block.mlp_in_weight = next();
    block.mlp_in_bias = next_bias();
    block.mlp_out_weight = next();
    block.mlp_out_bias = next_bias();
    p.blocks.push_back(block);
  }
  p.ln_f_gain = next();
  p.ln_f_bias = next_bias();
  p.output_embedding = config.tied_output ? p.token_embedding : next();
  return p;
}

template Parameters<float> parameters_in(const TransformerConfig&, const ParameterLayout&, float*);
template Parameters<const float> parameters_in(const TransformerConfig&, const ParameterLayout&,
                                               const float*);
template Parameters<const double> parameters_in(const TransformerConfig&, const ParameterLayout&,
                                                const double*);

void initialize_parameters(const TransformerConfig& config, const ParameterLayout& layout,
                           std::uint64_t seed, float* buffer) {
  constexpr double kDeviation = 0.02;
  const double residual_scale = 1 / std::sqrt(2.0 * static_cast<double>(config.num_layers));
  for (const ParameterEntry& entry : layout.entries()) {
    float* values = buffer + entry.offset;
    for (std::size_t i = 0; i < entry.count; ++i) {
      switch (entry.kind) {
        case ParameterKind::gain:
          values[i] = 1;
          break;
        case ParameterKind::bias:
          values[i] = 0;
          break;
        case ParameterKind::residual_linear:
          values[i] = static_cast<float>(kDeviation * residual_scale *
                                         random_normal(seed, entry.offset + i));
          break;
        case ParameterKind::embedding:
        case ParameterKind::linear:
        case ParameterKind::output_embedding:
          values[i] = static_cast<float>(kDeviation * random_normal(seed, entry.offset + i));
      }
    }
  }
}

}  // namespace limelight
