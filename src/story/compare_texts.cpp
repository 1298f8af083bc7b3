#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "story/comparison.h"
#include "story/comparison_words.h"
#include "story/located_word.h"
#include "story/narrator.h"
#include "story/principal_axes.h"
#include "story/steps/measures.h"
#include "story/story_hash.h"
#include "story/vocabulary.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

constexpr int kNearest = 5;

/// The word in every text; the first text's word is what is looked for in the others.
Result<std::vector<LocatedWord>> locate_everywhere(const LoadedModel& model,
                                                   const ComparisonRequest& request,
                                                   std::span<const std::string> ambiguous) {
  if (request.texts.size() < 2 || request.texts.size() > kMostCompared) {
    return Failure{fmt::format(
        "compare takes 2 to {} texts with the same word, got {}: give each text in quotation marks",
        kMostCompared, request.texts.size())};
  }
  std::vector<LocatedWord> words;
  std::optional<std::string> wanted = request.word;
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    auto word = locate_word(model, request.texts[i], wanted, ambiguous,
                            fmt::format("text {} ({})", i + 1, text_letter(i)));
    if (!word) return word.failure();
    wanted = word->word;
    words.push_back(std::move(*word));
  }
  return words;
}

/// The head that selects most on the average of all texts, heads that look at another word in every
/// text before others.
HeadChoice choose_for_all(const LoadedModel& model, const ComparisonRequest& request,
                          std::span<const LocatedWord> words) {
  std::vector<HeadChoice> heads;
  for (const LocatedWord& word : words) {
    const std::vector<HeadChoice> here =
        look_at_heads(model.transformer, word.ids, word.token, request.layer, request.head);
    if (heads.empty()) {
      heads = here;
      continue;
    }
    for (std::size_t i = 0; i < heads.size(); ++i) {
      heads[i].effective_words += here[i].effective_words;
      heads[i].looks_elsewhere = heads[i].looks_elsewhere && here[i].looks_elsewhere;
    }
  }
  return *std::ranges::min_element(heads, selects_more);
}

std::string reason_of(const ComparisonRequest& request, const HeadChoice& choice) {
  if (request.layer && request.head) return "";
  return choice.looks_elsewhere
             ? "chosen because over all texts its row is the most selective of those that look at "
               "another word in each"
             : "chosen because over all texts its row is the most selective";
}

/// weight * value * output matrix, in float64 of the recorded numbers.
std::vector<double> written_by(const Trace& trace, const HeadChoice& head, std::int64_t from,
                               double weight) {
  const auto named = [&](const char* what) { return head_tensor(head.layer, head.head, what); };
  const auto value = trace.row(named("value"), from);
  const MatrixView output = trace.values(named("output_matrix"));
  std::vector<double> write(static_cast<std::size_t>(output.columns));
  for (std::int64_t d = 0; d < output.rows; ++d) {
    const double factor = weight * value[static_cast<std::size_t>(d)];
    for (std::int64_t c = 0; c < output.columns; ++c) {
      write[static_cast<std::size_t>(c)] += factor * output.at(d, c);
    }
  }
  return write;
}

std::vector<WordContribution> contributions_of(const Trace& trace, const HeadChoice& head,
                                               std::int64_t token) {
  const auto weights = trace.row(head_tensor(head.layer, head.head, "weights"), token);
  std::vector<std::vector<double>> writes;
  std::vector<double> whole;
  for (std::int64_t from = 0; from <= token; ++from) {
    writes.push_back(written_by(trace, head, from, weights[static_cast<std::size_t>(from)]));
    whole.resize(writes.back().size());
    for (std::size_t c = 0; c < whole.size(); ++c) whole[c] += writes.back()[c];
  }
  const double whole_squared = dot(whole, whole);
  std::vector<WordContribution> contributions;
  for (std::int64_t from = 0; from <= token; ++from) {
    const auto& write = writes[static_cast<std::size_t>(from)];
    contributions.push_back({from, weights[static_cast<std::size_t>(from)],
                             std::sqrt(dot(write, write)),
                             whole_squared > 0 ? dot(write, whole) / whole_squared : 0});
  }
  return contributions;
}

ComparedText follow(const LoadedModel& model, const std::string& text, LocatedWord word,
                    const HeadChoice& head) {
  ComparedText out;
  out.text = text;
  out.ids = std::move(word.ids);
  out.token_texts = std::move(word.token_texts);
  out.word = std::move(word.word);
  out.first_token = word.first_token;
  out.token = word.token;
  const Trace trace = record_trace(model.transformer, out.ids,
                                   {.layers = std::vector{head.layer},
                                    .heads = std::vector{head.head},
                                    .tokens = std::vector{out.token},
                                    .path_of = out.token});
  out.path = *trace.at("stream_path").storage;
  out.token_row_length = length_of(trace.row("token_embedding", out.token));
  out.position_row_length = length_of(trace.row("position_embedding", out.token));
  out.effective_words =
      effective_words(trace.row(head_tensor(head.layer, head.head, "weights"), out.token));
  out.contributions = contributions_of(trace, head, out.token);
  const MatrixView path = out.path;
  out.nearest_before = nearest_words(model, path.row(0), kNearest);
  out.nearest_after = nearest_words(model, path.row(path.rows - 1), kNearest);
  out.proof = prove(trace);
  return out;
}

void measure_cosines(Comparison& comparison) {
  const auto count = std::ssize(comparison.texts);
  for (std::int64_t depth = 0; depth < comparison.depths(); ++depth) {
    Matrix64& cosines = comparison.cosines.emplace_back(count, count);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j < count; ++j) {
        const auto vector = [&](std::int64_t text) {
          return std::as_const(comparison.texts[static_cast<std::size_t>(text)].path).row(depth);
        };
        cosines.at(i, j) = cosine_of(vector(i), vector(j));
      }
    }
  }
}

void subtract_mean(std::vector<std::vector<double>>& vectors) {
  std::vector<double> mean(vectors.front().size());
  for (const auto& vector : vectors) {
    for (std::size_t d = 0; d < mean.size(); ++d) {
      mean[d] += vector[d] / static_cast<double>(vectors.size());
    }
  }
  for (auto& vector : vectors) {
    for (std::size_t d = 0; d < mean.size(); ++d) vector[d] -= mean[d];
  }
}

/// So that a picture reads the same way every time: to the right from the embeddings to the last
/// layer, and the first text ends above 0.
void orient(Comparison& comparison) {
  double to_the_right = 0;
  for (const ComparedText& text : comparison.texts) {
    to_the_right += text.points.back().x - text.points.front().x;
  }
  const double x_sign = to_the_right < 0 ? -1 : 1;
  const double y_sign = comparison.texts.front().points.back().y < 0 ? -1 : 1;
  for (ComparedText& text : comparison.texts) {
    for (PlanePoint& point : text.points) {
      point.x *= x_sign;
      point.y *= y_sign;
    }
  }
}

void project(Comparison& comparison) {
  std::vector<std::vector<double>> vectors;
  for (const ComparedText& text : comparison.texts) {
    for (std::int64_t depth = 0; depth < text.path.rows; ++depth) {
      vectors.push_back(in_double(text.path.row(depth)));
    }
  }
  subtract_mean(vectors);
  const PrincipalAxes principal = principal_axes(vectors, 2);
  auto vector = vectors.begin();
  for (ComparedText& text : comparison.texts) {
    for (std::int64_t depth = 0; depth < text.path.rows; ++depth, ++vector) {
      text.points.push_back({dot(*vector, principal.axes[0]), dot(*vector, principal.axes[1])});
    }
  }
  orient(comparison);
  comparison.x_share = principal.shares[0];
  comparison.y_share = principal.shares[1];
  const auto axis = [&](const char* which, double share) {
    return fmt::format("{} principal axis of all {} vectors about their mean: {} of the variance",
                       which, vectors.size(), percent(share));
  };
  comparison.x_axis = axis("first", comparison.x_share);
  comparison.y_axis = axis("second", comparison.y_share);
}

std::string hash_of(const LoadedModel& model, const Comparison& comparison) {
  std::string options = fmt::format("compare layer {} head {}", comparison.layer, comparison.head);
  for (const ComparedText& text : comparison.texts) {
    options += fmt::format(" text {} {} token {} to {}", text.text.size(), text.text,
                           text.first_token, text.token);
  }
  return hash_of_run(model.transformer, options);
}

}  // namespace

std::string text_letter(std::size_t index) {
  return std::string(1, static_cast<char>('A' + static_cast<char>(index)));
}

std::string depth_name(std::int64_t depth) {
  return depth == 0 ? "embedding" : fmt::format("layer {}", depth - 1);
}

bool Comparison::proof_holds() const {
  return std::ranges::all_of(texts, [](const ComparedText& text) { return text.proof.holds(); });
}

Result<Comparison> compare_texts(const LoadedModel& model, const ComparisonRequest& request,
                                 std::span<const std::string> ambiguous) {
  Comparison comparison;
  comparison.config = model.transformer.config();
  if (Status sound = check_layer_and_head(comparison.config, request.layer, request.head); !sound) {
    return sound.failure();
  }
  auto words = locate_everywhere(model, request, ambiguous);
  if (!words) return words.failure();
  const HeadChoice head = choose_for_all(model, request, *words);
  comparison.word = request.word.value_or(words->front().word);
  comparison.word_reason = words->front().reason;
  comparison.layer = head.layer;
  comparison.head = head.head;
  comparison.reason = reason_of(request, head);
  for (std::size_t i = 0; i < words->size(); ++i) {
    comparison.texts.push_back(follow(model, request.texts[i], std::move((*words)[i]), head));
  }
  measure_cosines(comparison);
  project(comparison);
  comparison.begins = how_it_begins(comparison);
  comparison.ends = how_it_ends(comparison);
  comparison.hash = hash_of(model, comparison);
  return comparison;
}

}  // namespace limelight
