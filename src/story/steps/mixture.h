#pragma once

#include <span>
#include <string>

#include "story/narrator.h"

namespace limelight {

// A mixture: vectors (rows of a matrix, one a token) taken as often as a row of weights says. What
// the steps on embeddings, inputs and values have in common.

/// "0.61 · 0.03 + 0.20 · −0.11 + … = −0.004": coordinate 0, the largest weights first.
std::string mixture_in_numbers(const Narrator& narrator, std::span<const float> weights,
                               MatrixView vectors, double sum);

/// "“light” is now 61 % “lamp”, 20 % itself, ...", of the first `seen` tokens.
std::string mixture_in_words(const Narrator& narrator, std::span<const float> weights,
                             std::int64_t seen);

/// The weighted vectors head to tail from the origin, the largest weights first; small ones as one.
PathPicture mixture_path(const Narrator& narrator, std::string id, std::string caption,
                         std::span<const float> weights, MatrixView vectors);

}  // namespace limelight
