#include "story/steps/mixture.h"

#include <fmt/format.h>

#include <algorithm>

#include "story/path_plane.h"
#include "story/steps/measures.h"

namespace limelight {
namespace {

constexpr std::int64_t kTermsShown = 3;
constexpr std::int64_t kMostPathSteps = 8;

}  // namespace

std::string mixture_in_numbers(const Narrator& narrator, std::span<const float> weights,
                               MatrixView vectors, double sum) {
  std::string text = "number 0: ";
  const auto top = largest_columns(weights, kTermsShown);
  for (std::size_t i = 0; i < top.size(); ++i) {
    text += fmt::format("{}{} · {} ({})", i == 0 ? "" : " + ",
                        number(weights[static_cast<std::size_t>(top[i])]),
                        number(vectors.at(top[i], 0)), narrator.token(top[i]));
  }
  if (std::ssize(weights) > kTermsShown) text += " + …";
  return text + " = " + number(sum);
}

std::string mixture_in_words(const Narrator& narrator, std::span<const float> weights,
                             std::int64_t seen) {
  std::string text = fmt::format("Of the {} word{} it can see, {} takes", seen,
                                 seen == 1 ? "" : "s", narrator.word());
  const auto top = largest_columns(weights.first(static_cast<std::size_t>(seen)), kTermsShown);
  for (std::size_t i = 0; i < top.size(); ++i) {
    const std::string who =
        top[i] == narrator.story.token ? "from itself" : "from " + narrator.token(top[i]);
    const char* joint = i == 0 ? " " : i + 1 == top.size() ? " and " : ", ";
    text += fmt::format("{}{} {}", joint, percent(weights[static_cast<std::size_t>(top[i])]), who);
  }
  return text + ".";
}

PathPicture mixture_path(const Narrator& narrator, std::string id, std::string caption,
                         std::span<const float> weights, MatrixView vectors) {
  const auto order = largest_columns(weights, std::ssize(weights));
  std::vector<PathStep> steps;
  for (const std::int64_t j : order) {
    const double weight = weights[static_cast<std::size_t>(j)];
    if (weight == 0) continue;
    std::vector<double> part = scaled(vectors.row(j), weight);
    if (std::ssize(steps) < kMostPathSteps) {
      steps.push_back(
          {fmt::format("{} · {}", percent(weight), narrator.token(j)), std::move(part)});
      continue;
    }
    if (std::ssize(steps) == kMostPathSteps) {
      steps.push_back({"all others", std::vector<double>(part.size())});
    }
    for (std::size_t c = 0; c < part.size(); ++c) steps.back().vector[c] += part[c];
  }
  const std::vector<double> origin(static_cast<std::size_t>(vectors.columns));
  return lay_head_to_tail(std::move(id), std::move(caption), "zero", origin, steps);
}

}  // namespace limelight
