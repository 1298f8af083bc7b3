#include "cli/weights_request.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "cli/command.h"

namespace limelight::cli {
namespace {

/// One --weights, cut at its "=": top_k=8 is {"top_k", "8"}.
struct Request {
  explicit Request(const std::string& text) : whole(text) {
    const std::size_t equals = text.find('=');
    kind = text.substr(0, equals);
    if (equals != std::string::npos) argument = text.substr(equals + 1);
  }

  [[noreturn]] void fail(const char* expected) const {
    throw Mistake(fmt::format("--weights: expected {}, got \"{}\"", expected, whole));
  }

  std::string whole, kind, argument;
};

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::int64_t number_of(const Request& request, std::string_view text, const char* expected) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    request.fail(expected);
  }
  return number;
}

/// "0:16,0:64": two ranges.
struct Rectangle {
  Selection rows, columns;
};

Rectangle rectangle_of(const Request& request, std::string_view text, const char* expected) {
  const std::vector<std::string_view> ranges = parts_of(text, ',');
  if (ranges.size() != 2) request.fail(expected);
  const auto range = [&](std::string_view part) {
    const std::vector<std::string_view> ends = parts_of(part, ':');
    if (ends.size() != 2) request.fail(expected);
    return Selection{
        number_of(request, ends[0], expected), number_of(request, ends[1], expected), {}};
  };
  return {range(ranges[0]), range(ranges[1])};
}

/// Answers requests about one run.
class Answers {
 public:
  Answers(const AttentionRun& run, const MakeTensor& make, std::vector<NamedTensor>& results)
      : run_(run),
        make_(make),
        results_(results),
        dtype_(run.query.dtype() == DType::f64 ? DType::f64 : DType::f32),
        q_len_(run.query.size(2)),
        kv_len_(run.key.size(2) +
                (run.options.past_key.empty() ? 0 : run.options.past_key.size(2))) {}

  void answer(const Request& request) {
    if (request.kind == "rows" || request.kind == "columns") return answer_list(request);
    if (request.kind == "tile") return answer_tile(request);
    if (request.kind == "top_k") return answer_top(request);
    if (request.kind == "mean_map") return answer_map(request, Pooling::mean);
    if (request.kind == "max_map") return answer_map(request, Pooling::max);
    if (request.whole == "column_sums") {
      return attention_column_sums(run_, result(request, {kv_len_}));
    }
    if (request.whole == "entropy") return attention_entropy(run_, result(request, {q_len_}));
    request.fail("rows=, columns=, tile=, top_k=, column_sums, entropy, mean_map= or max_map=");
  }

 private:
  /// [batch, num_heads, last...] in the file as weights_KIND`suffix`.
  TensorView result(const Request& request, std::vector<std::int64_t> last,
                    std::optional<DType> dtype = std::nullopt, const char* suffix = "") {
    const std::string name = "weights_" + request.kind + suffix;
    for (const NamedTensor& other : results_) {
      if (other.name == name) request.fail("each kind once");
    }
    last.insert(last.begin(), {run_.query.size(0), run_.query.size(1)});
    const TensorView view = make_(dtype.value_or(dtype_), last);
    results_.push_back({name, view});
    return view;
  }

  void answer_list(const Request& request) {
    std::vector<std::int64_t> places;
    for (const std::string_view part : parts_of(request.argument, ',')) {
      places.push_back(number_of(request, part, "numbers, as in rows=0,5,7"));
    }
    const Selection listed = {
        0, Selection::kToTheEnd,
        ConstTensorView::of(places.data(), {static_cast<std::int64_t>(places.size())})};
    if (request.kind == "rows") {
      attention_weights(run_, listed, {}, result(request, {std::ssize(places), kv_len_}));
    } else {
      attention_weights(run_, {}, listed, result(request, {q_len_, std::ssize(places)}));
    }
  }

  void answer_tile(const Request& request) {
    const auto [rows, columns] =
        rectangle_of(request, request.argument, "two ranges, as in tile=0:16,0:64");
    // Ranges that cannot be are refused by the operator: the result's size is only not negative.
    const std::int64_t height = std::max<std::int64_t>(rows.end - rows.begin, 0);
    const std::int64_t width = std::max<std::int64_t>(columns.end - columns.begin, 0);
    check_within(request, rows, q_len_, "rows");
    check_within(request, columns, kv_len_, "columns");
    attention_weights(run_, rows, columns, result(request, {height, width}));
  }

  /// Before memory of that size is asked for.
  static void check_within(const Request& request, const Selection& range, std::int64_t length,
                           const char* what) {
    if (range.begin <= range.end && range.end <= length) return;
    request.fail(fmt::format("{} within 0:{}", what, length).c_str());
  }

  void answer_top(const Request& request) {
    const std::int64_t k = number_of(request, request.argument, "a number, as in top_k=8");
    const TensorView weights = result(request, {q_len_, k});
    top_attention_weights(run_, result(request, {q_len_, k}, DType::i64, "_indices"), weights);
  }

  void answer_map(const Request& request, Pooling pooling) {
    constexpr const char* kExpected = "cells, as in mean_map=64x64 or max_map=64x64@0:16,0:64";
    const std::vector<std::string_view> parts = parts_of(request.argument, '@');
    const std::vector<std::string_view> cells = parts_of(parts[0], 'x');
    if (parts.size() > 2 || cells.size() != 2) request.fail(kExpected);
    const std::int64_t height = number_of(request, cells[0], kExpected);
    const std::int64_t width = number_of(request, cells[1], kExpected);
    const Rectangle rectangle =
        parts.size() == 2 ? rectangle_of(request, parts[1], kExpected) : Rectangle{};
    attention_map(run_, rectangle.rows, rectangle.columns, pooling,
                  result(request, {height, width}));
  }

  const AttentionRun& run_;
  const MakeTensor& make_;
  std::vector<NamedTensor>& results_;
  DType dtype_;
  std::int64_t q_len_, kv_len_;
};

}  // namespace

void answer_weights(const std::vector<std::string>& requests, const AttentionRun& run,
                    const MakeTensor& make, std::vector<NamedTensor>& results) {
  Answers answers(run, make, results);
  for (const std::string& request : requests) answers.answer(Request(request));
}

}  // namespace limelight::cli
