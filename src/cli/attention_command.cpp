// limelight attention: the operator on tensors of any framework, from a safetensors file to
// another.

#include <fmt/format.h>
#include <limelight/attention.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>

#include "attention/element.h"
#include "checkpoint/safetensors.h"
#include "cli/command.h"
#include "cli/weights_request.h"

namespace limelight::cli {
namespace {

struct AttentionArguments {
  std::string input;
  std::string output;
  std::string causal;
  std::string window;
  std::string alignment;
  std::string dtype;
  std::optional<double> scale;
  std::optional<double> softcap;
  double dropout = 0;
  std::uint64_t seed = 0;
  bool backward = false;
  std::vector<std::string> weights;
};

constexpr std::array kKnownTensors = {"query",         "key",
                                      "value",         "mask",
                                      "bias",          "past_key",
                                      "past_value",    "sinks",
                                      "alibi_slopes",  "query_documents",
                                      "grad_out",      "key_lengths",
                                      "key_documents", "cu_seqlens_query",
                                      "cu_seqlens_key"};

std::optional<CausalAlignment> alignment_named(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == "top_left" ? CausalAlignment::top_left : CausalAlignment::bottom_right;
}

/// Tensors that the command makes: views of them stay valid while it lives.
class OwnedTensors {
 public:
  TensorView make(DType dtype, std::span<const std::int64_t> sizes) {
    std::int64_t elements = 1;
    for (const std::int64_t size : sizes) elements *= size;
    memory_.emplace_back(static_cast<std::size_t>(elements) * size_of(dtype));
    return {memory_.back().data(), dtype, sizes};
  }

  ConstTensorView converted(ConstTensorView view, DType dtype) {
    if (view.empty() || view.dtype() == dtype || !is_number(view.dtype())) return view;
    const TensorView copy = make(dtype, view.sizes());
    for (std::int64_t i = 0; i < view.elements(); ++i) {
      write_number(copy.raw(), dtype, i, read_number(view.raw(), view.dtype(), i));
    }
    return copy;
  }

 private:
  std::deque<std::vector<std::byte>> memory_;
};

/// The call that a file and the command line describe.
struct Call {
  ConstTensorView query, key, value, grad_out;
  AttentionOptions options;
};

std::int64_t window_side(std::string_view text, const std::string& whole) {
  if (text == "none") return SlidingWindow::kUnlimited;
  std::int64_t side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || end != text.data() + text.size() || side < -1) {
    throw Mistake(
        "--window: expected LEFT,RIGHT, two numbers of keys (-1 or none for no limit), got \"" +
        whole + "\"");
  }
  return side;
}

SlidingWindow window_of(const AttentionArguments& arguments, const Call& call) {
  const std::string& text = arguments.window;
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos) window_side("", text);
  const std::string_view whole = text;
  SlidingWindow window = {CausalAlignment::top_left, window_side(whole.substr(0, comma), text),
                          window_side(whole.substr(comma + 1), text)};
  const std::string& alignment =
      arguments.alignment.empty() ? arguments.causal : arguments.alignment;
  const bool square = call.query.size(2) == call.key.size(2) && call.options.past_key.empty() &&
                      call.options.key_lengths.empty() && call.options.cu_seqlens_key.empty();
  if (alignment.empty() && !square) {
    throw Mistake(
        "--window: queries and keys differ in number, so say which stand beside which: --alignment "
        "top_left or bottom_right");
  }
  window.alignment = alignment_named(alignment).value_or(CausalAlignment::top_left);
  return window;
}

/// The operator's arithmetic type: --dtype, or the type of query.
DType type_of_call(const AttentionArguments& arguments, const SafetensorsFile& file) {
  if (arguments.dtype == "f32") return DType::f32;
  if (arguments.dtype == "bf16") return DType::bf16;
  if (arguments.dtype == "f16") return DType::f16;
  return value_or_mistake(file.tensor("query")).dtype();
}

Call read_call(const AttentionArguments& arguments, const SafetensorsFile& file,
               OwnedTensors& owned) {
  const DType dtype = type_of_call(arguments, file);
  const auto required = [&](const char* name) {
    const ConstTensorView view = value_or_mistake(file.tensor(name));
    if (!is_number(view.dtype()) || view.rank() != 4) {
      throw Mistake(
          fmt::format("{}: tensor {}: expected [batch, heads, length, dim] in F64, F32, BF16 "
                      "or F16, got {} in {}",
                      arguments.input, name, view.shape_string(), name_of(view.dtype())));
    }
    return owned.converted(view, dtype);
  };
  const auto optional = [&](const char* name) {
    return file.contains(name) ? owned.converted(value_or_mistake(file.tensor(name)), dtype)
                               : ConstTensorView();
  };
  Call call;
  call.query = required("query");
  call.key = required("key");
  call.value = required("value");
  if (arguments.backward) call.grad_out = required("grad_out");
  AttentionOptions& options = call.options;
  options.softmax_scale = arguments.scale;
  options.softcap = arguments.softcap;
  options.causal = alignment_named(arguments.causal);
  options.past_key = optional("past_key");
  options.past_value = optional("past_value");
  options.key_lengths = optional("key_lengths");
  options.cu_seqlens_query = optional("cu_seqlens_query");
  options.cu_seqlens_key = optional("cu_seqlens_key");
  options.bias = optional("bias");
  options.query_documents = optional("query_documents");
  options.key_documents = optional("key_documents");
  options.sinks = optional("sinks");
  if (const ConstTensorView mask = optional("mask"); !mask.empty()) {
    if (is_number(mask.dtype()) && !options.bias.empty()) {
      throw Mistake(arguments.input +
                    ": tensors mask and bias: both are numbers to be added; give one");
    }
    (is_number(mask.dtype()) ? options.bias : options.mask) = mask;
  }
  if (!arguments.window.empty()) options.window = window_of(arguments, call);
  if (const ConstTensorView slopes = optional("alibi_slopes"); !slopes.empty()) {
    const std::string& name = arguments.alignment.empty() ? arguments.causal : arguments.alignment;
    if (name.empty()) throw Mistake("alibi_slopes: needs --causal or --alignment");
    options.alibi = Alibi{*alignment_named(name), slopes};
  }
  if (arguments.dropout != 0) options.dropout = Dropout{arguments.dropout, arguments.seed};
  return call;
}

void say_what_is_ignored(const SafetensorsFile& file) {
  std::string ignored;
  for (const std::string& name : file.names()) {
    if (std::find(kKnownTensors.begin(), kKnownTensors.end(), name) == kKnownTensors.end()) {
      ignored += (ignored.empty() ? "" : ", ") + name;
    }
  }
  if (!ignored.empty()) fmt::print(stderr, "limelight: not an input, ignored: {}\n", ignored);
}

int run_attention(const AttentionArguments& arguments) {
  const SafetensorsFile file = value_or_mistake(SafetensorsFile::open(arguments.input));
  say_what_is_ignored(file);
  OwnedTensors owned;
  const Call call = read_call(arguments, file, owned);

  const DType dtype = call.query.dtype();
  const std::int64_t out_sizes[] = {call.query.size(0), call.query.size(1), call.query.size(2),
                                    call.value.size(3)};
  const TensorView out = owned.make(dtype, out_sizes);
  const TensorView lse =
      owned.make(dtype == DType::f64 ? DType::f64 : DType::f32, std::span(out_sizes).first(3));
  attention(call.query, call.key, call.value, out, call.options, lse);
  std::vector<NamedTensor> results = {{"out", out}, {"lse", lse}};

  answer_weights(
      arguments.weights, {call.query, call.key, lse, call.options},
      [&](DType type, std::span<const std::int64_t> sizes) { return owned.make(type, sizes); },
      results);

  if (arguments.backward) {
    AttentionGradients gradients;
    const auto gradient = [&](const char* name, ConstTensorView of) {
      if (of.empty()) return TensorView();
      const TensorView view = owned.make(of.dtype(), of.sizes());
      results.push_back({std::string("grad_") + name, view});
      return view;
    };
    gradients.query = gradient("query", call.query);
    gradients.key = gradient("key", call.key);
    gradients.value = gradient("value", call.value);
    gradients.past_key = gradient("past_key", call.options.past_key);
    gradients.past_value = gradient("past_value", call.options.past_value);
    gradients.bias = gradient("bias", call.options.bias);
    gradients.sinks = gradient("sinks", call.options.sinks);
    attention_backward(call.query, call.key, call.value, out, lse, call.grad_out, gradients,
                       call.options);
  }
  value_or_mistake(write_safetensors(arguments.output, results));
  return kSuccess;
}

}  // namespace

void add_attention_command(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand(
      "attention",
      "The operator on tensors of any framework.\n\n"
      "Reads query, key and value [batch, heads, length, dim] from a safetensors file, and where "
      "they\n"
      "are there mask (true is visible; numbers are added), bias, past_key, past_value, "
      "key_lengths,\n"
      "cu_seqlens_query, cu_seqlens_key, sinks, alibi_slopes, query_documents, key_documents and\n"
      "grad_out. Writes out and lse, with --backward grad_query, grad_key, grad_value and the\n"
      "gradients of what else was given, and with --weights what was asked of the weights (before\n"
      "dropout), as weights_rows, weights_top_k and weights_top_k_indices, weights_entropy, ...\n\n"
      "  limelight attention --input case.safetensors --output out.safetensors --causal top_left");
  auto arguments = std::make_shared<AttentionArguments>();
  command->add_option("--input", arguments->input, "The file to read")->required();
  command->add_option("--output", arguments->output, "The file to write")->required();
  const CLI::IsMember alignments({"top_left", "bottom_right"});
  command
      ->add_option(
          "--causal", arguments->causal,
          "Hide the future: query 0 beside the first new key (top_left), or the last query "
          "beside the last key (bottom_right)")
      ->check(alignments);
  command->add_option("--window", arguments->window,
                      "LEFT,RIGHT: see only so many keys before and after (-1: no limit)");
  command
      ->add_option("--alignment", arguments->alignment,
                   "Of the window and of ALiBi, where there is no --causal")
      ->check(alignments);
  command->add_option("--scale", arguments->scale, "Instead of 1 / sqrt(head_dim)");
  command->add_option("--softcap", arguments->softcap, "Bound scores softly to this size");
  command->add_option("--dropout", arguments->dropout, "Probability that a weight is dropped");
  command->add_option("--seed", arguments->seed, "Of dropout");
  command->add_option("--dtype", arguments->dtype, "Convert the inputs to it first")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  command->add_flag("--backward", arguments->backward, "Gradients too, from grad_out");
  command->add_option("--weights", arguments->weights, kWeightsHelp)->type_name("WHAT ...");
  add_threads_option(*command);
  command->callback([arguments, &exit_status] { exit_status = run_attention(*arguments); });
}

}  // namespace limelight::cli
