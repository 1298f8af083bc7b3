#include "story/vocabulary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "story/steps/measures.h"

namespace limelight {

std::vector<Guess> guess_next(const Tokenizer& tokenizer, std::span<const float> logits,
                              int count) {
  std::vector<TokenId> order(
      static_cast<std::size_t>(std::min<std::int64_t>(tokenizer.vocab_size(), std::ssize(logits))));
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
  const auto kept = std::min<std::ptrdiff_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  double sum = 0;
  const double maximum = *std::ranges::max_element(logits);
  for (const double value : logits) sum += std::exp(value - maximum);
  std::vector<Guess> guesses;
  for (std::ptrdiff_t i = 0; i < kept; ++i) {
    const TokenId id = order[static_cast<std::size_t>(i)];
    guesses.push_back(
        {id, std::string(tokenizer.bytes_of(id)), std::exp(logit(id) - maximum) / sum});
  }
  return guesses;
}

std::vector<NearWord> nearest_words(const LoadedModel& model, std::span<const float> vector,
                                    int count) {
  const TransformerConfig& config = model.transformer.config();
  const MatrixView table = {model.transformer.parameter_views().token_embedding,
                            std::min<std::int64_t>(config.vocab_size, model.tokenizer.vocab_size()),
                            config.width};
  const std::vector<float> cosines = cosines_with_rows(table, vector);
  std::vector<NearWord> nearest;
  for (const std::int64_t id : largest_columns(cosines, count)) {
    nearest.push_back({std::string(model.tokenizer.bytes_of(static_cast<TokenId>(id))),
                       cosines[static_cast<std::size_t>(id)]});
  }
  return nearest;
}

}  // namespace limelight
