#include "attention_options.h"

#include "array_views.h"

namespace limelight::python {
namespace {

CausalAlignment alignment_named(const py::object& name, const char* argument) {
  const auto text = py::isinstance<py::str>(name) ? name.cast<std::string>() : std::string();
  if (text == "top_left") return CausalAlignment::top_left;
  if (text == "bottom_right") return CausalAlignment::bottom_right;
  throw Error(std::string(argument) + ": expected \"top_left\" or \"bottom_right\", got " +
              py::repr(name).cast<std::string>());
}

/// Which query stands beside which key, for a window or ALiBi: as `causal` says, or `alignment`.
CausalAlignment alignment_for(const AttentionOptions& options, const py::object& alignment,
                              const char* option) {
  if (!alignment.is_none()) return alignment_named(alignment, "alignment");
  if (options.causal) return *options.causal;
  throw Error(std::string("alignment: ") + option +
              " needs it without causal: \"top_left\" or \"bottom_right\"");
}

/// What stands behind `name`, or an Error that says what was expected.
template <class T>
T cast_to(const py::handle& object, const char* name, const char* expected) {
  try {
    return object.cast<T>();
  } catch (const py::cast_error&) {
    throw Error(std::string(name) + ": expected " + expected + ", got " +
                py::repr(object).cast<std::string>());
  }
}

std::int64_t window_side(const py::handle& side) {
  return side.is_none() ? SlidingWindow::kUnlimited
                        : cast_to<std::int64_t>(side, "window", "(left, right), numbers of keys");
}

SlidingWindow window_of(const py::object& window, CausalAlignment alignment) {
  constexpr const char* kExpected = "(left, right), None for no limit";
  if (!py::isinstance<py::sequence>(window) || py::len(window) != 2) {
    throw Error(std::string("window: expected ") + kExpected + ", got " +
                py::repr(window).cast<std::string>());
  }
  const auto sides = py::reinterpret_borrow<py::sequence>(window);
  return {alignment, window_side(sides[0]), window_side(sides[1])};
}

}  // namespace

AttentionOptions attention_options(const py::dict& keywords) {
  AttentionOptions options;
  const auto given = [&](const char* name) {
    return keywords.contains(name) ? py::object(keywords[name]) : py::object(py::none());
  };
  const auto view = [&](const char* name) { return const_view(given(name), name); };
  const auto number = [&](const char* name) -> std::optional<double> {
    if (given(name).is_none()) return std::nullopt;
    return cast_to<double>(given(name), name, "a number");
  };
  options.softmax_scale = number("softmax_scale");
  options.softcap = number("softcap");
  if (!given("causal").is_none()) options.causal = alignment_named(given("causal"), "causal");
  if (const py::object window = given("window"); !window.is_none()) {
    options.window = window_of(window, alignment_for(options, given("alignment"), "window"));
  }
  if (!given("alibi_slopes").is_none()) {
    options.alibi =
        Alibi{alignment_for(options, given("alignment"), "alibi_slopes"), view("alibi_slopes")};
  }
  options.past_key = view("past_key");
  options.past_value = view("past_value");
  options.key_lengths = view("key_lengths");
  options.cu_seqlens_query = view("cu_seqlens_query");
  options.cu_seqlens_key = view("cu_seqlens_key");
  options.mask = view("mask");
  options.bias = view("bias");
  options.query_documents = view("query_documents");
  options.key_documents = view("key_documents");
  options.sinks = view("sinks");
  if (const double probability = number("dropout").value_or(0); probability != 0) {
    options.dropout = Dropout{probability,
                              cast_to<std::uint64_t>(given("dropout_seed"), "dropout_seed",
                                                     "an integer of 64 bits, 0 or more"),
                              cast_to<std::uint32_t>(given("dropout_stream"), "dropout_stream",
                                                     "an integer of 32 bits, 0 or more")};
  }
  return options;
}

}  // namespace limelight::python
