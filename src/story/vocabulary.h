#pragma once

#include <span>
#include <vector>

#include "story/story.h"

namespace limelight {

/// The `count` tokens with the largest logits, and their softmax. Tokens that the model has a logit
/// for and the tokenizer does not know are left out of the list, not of the sum.
std::vector<Guess> guess_next(const Tokenizer& tokenizer, std::span<const float> logits, int count);

/// The `count` rows of the token table with the largest cosine to a vector of the model's width.
std::vector<NearWord> nearest_words(const LoadedModel& model, std::span<const float> vector,
                                    int count);

}  // namespace limelight
