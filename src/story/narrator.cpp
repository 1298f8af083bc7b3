#include "story/narrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace limelight {
namespace {

/// "1.0 · 2.0 + 3.0 · 4.0 + …"
std::string first_products(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(a.size(), kShown); ++i) {
    text += fmt::format("{}{} · {}", i == 0 ? "" : " + ", number(a[i]), number(b[i]));
  }
  return a.size() > kShown ? text + " + …" : text;
}

}  // namespace

std::string with_minus(std::string text) {
  if (text.starts_with('-')) text.replace(0, 1, "−");
  return text;
}

std::string percent(double share) {
  const double hundredths = 100 * share;
  if (hundredths != 0 && std::fabs(hundredths) < 0.1) {
    return hundredths > 0 ? "under 0.1 %" : "above −0.1 %";
  }
  if (std::fabs(hundredths) < 9.95) return with_minus(fmt::format("{:.1f} %", hundredths));
  return with_minus(fmt::format("{:.0f} %", hundredths));
}

std::string number(double value) {
  if (value == 0) return "0";
  const double size = std::fabs(value);
  if (!std::isfinite(value)) {
    return std::isnan(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  }
  if (size < 1e-3 || size >= 1e6) return with_minus(fmt::format("{:.1e}", value));
  if (size < 10) return with_minus(fmt::format("{:.4f}", value));
  return with_minus(fmt::format("{:.2f}", value));
}

std::string readable_token(std::string_view bytes) {
  if (bytes.size() > 1 && bytes.front() == ' ') bytes.remove_prefix(1);
  return bytes == " " ? "␣" : printable_cell(bytes);
}

std::string Narrator::word() const { return "“" + printable_cell(story.word) + "”"; }

std::string Narrator::token(std::int64_t index) const {
  const std::string text = readable_token(story.token_texts[static_cast<std::size_t>(index)]);
  const auto same = std::ranges::count_if(
      story.token_texts, [&](const std::string& other) { return readable_token(other) == text; });
  std::string quoted = "“" + text + "”";
  if (same > 1) quoted += fmt::format(" (token {})", index);
  return quoted;
}

bool Narrator::whole() const { return story.trace.at(of_head("weights")).rows.empty(); }

std::string Narrator::of_head(std::string_view name) const {
  return head_tensor(layer, head, name);
}

std::string Narrator::of_layer(std::string_view name) const { return layer_tensor(layer, name); }

TensorTable Narrator::table(std::string id, std::string caption, std::string tensor,
                            CellKind cells) const {
  return {std::move(id), std::move(caption), std::move(tensor), cells, story.token, false};
}

TensorTable Narrator::matrix(std::string id, std::string caption, std::string tensor,
                             CellKind cells) const {
  TensorTable made = table(std::move(id), std::move(caption), std::move(tensor), cells);
  made.whole = whole();
  return made;
}

std::string sum_of_products(std::span<const float> a, std::span<const float> b, double sum) {
  return first_products(a, b) + " = " + number(sum);
}

std::string projection_in_numbers(const Narrator& narrator, std::string_view name) {
  const std::string of = narrator.of_head(name);
  const MatrixView matrix = narrator.values(of + "_matrix");
  std::vector<float> column;
  for (std::int64_t k = 0; k < matrix.rows; ++k) column.push_back(matrix.at(k, 0));
  std::string text = fmt::format("{}₀ = {}", name,
                                 first_products(narrator.row(narrator.of_layer("norm_1")), column));
  if (const TraceTensor* bias = narrator.story.trace.find(of + "_bias")) {
    text += " + " + number(bias->values.at(0, 0));
  }
  return text + " = " + number(narrator.row(of)[0]);
}

}  // namespace limelight
