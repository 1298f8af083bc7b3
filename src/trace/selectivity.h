#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace limelight {

/// exp of the entropy of a row of weights: how many words are attended to, in effect.
double effective_words(std::span<const float> weights);

/// A head of a layer, and how it looks from one token.
struct HeadChoice {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  double effective_words = 0;
  /// Its largest weight is neither on the token itself nor on the first one, where heads with
  /// nothing to say rest.
  bool looks_elsewhere = false;
};

/// Whether `a` is the one to show: heads that look at another word come before heads that rest,
/// then those with fewer effective words.
bool selects_more(const HeadChoice& a, const HeadChoice& b);

/// Runs the model and looks at the row for `token` of every head among those asked for, in order of
/// layers and heads. Stores nothing of the run but those rows. REQUIRES: token, layer and head
/// exist.
std::vector<HeadChoice> look_at_heads(const Transformer& model, std::span<const std::int32_t> ids,
                                      std::int64_t token, std::optional<std::int64_t> layer,
                                      std::optional<std::int64_t> head);

/// The one of them that selects most; the first of equals.
HeadChoice choose_head(const Transformer& model, std::span<const std::int32_t> ids,
                       std::int64_t token, std::optional<std::int64_t> layer,
                       std::optional<std::int64_t> head);

}  // namespace limelight
