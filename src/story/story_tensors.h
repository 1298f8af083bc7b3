#pragma once

#include <cstdint>
#include <span>

#include "trace/trace.h"

namespace limelight {

/// Adds what attention would be of the embeddings themselves, without query, key and value, on the
/// engine's own products; `rows` are the tokens whose rows are made (empty: all).
///
///   embedding.dots     embedding . embedding                       [token, key_token]
///   embedding.shares   dots / sum of the row                       [token, key_token]
///   embedding.weights  softmax of dots                             [token, key_token]
///   embedding.mix      weights x embedding                         [token, width]
void add_similarity_tensors(Trace& trace, std::span<const std::int64_t> rows);

/// Adds what one head's attention would be with a part of it left out. REQUIRES: the head is there.
///
///   unscaled_weights   softmax of dots, of every word              [token, key_token]
///   unscaled_mix       unscaled_weights x norm_1                   [token, width]
///   unmasked_weights   softmax of scores, of every word            [token, key_token]
///   input_mix          weights x norm_1: no value matrix           [token, width]
void add_ablation_tensors(Trace& trace, std::int64_t layer, std::int64_t head);

/// Adds, beside every head's weights in `trace`, those of another run: right_weights, given.
/// REQUIRES: `right` has the same heads.
void add_right_weights(Trace& trace, const Trace& right);

}  // namespace limelight
