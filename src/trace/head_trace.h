#pragma once

#include <cstdint>

#include "trace/trace.h"

namespace limelight {

/// One head of one layer, laid out in full. Rows are tokens.
struct HeadTrace {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  double softmax_scale = 0;
  Matrix query;    ///< [tokens, head_dim], as recorded
  Matrix key;      ///< [tokens, head_dim], as recorded
  Matrix value;    ///< [tokens, head_dim], as recorded
  Matrix dots;     ///< [tokens, tokens] query . key
  Matrix scores;   ///< [tokens, tokens] dots * softmax_scale, before the mask
  Matrix weights;  ///< [tokens, tokens] exp(score - lse) with the run's own lse; 0 where masked
  Matrix context;  ///< [tokens, head_dim], as recorded
  Matrix write;    ///< [tokens, width] context * the head's rows of the output matrix
};

/// Cuts a head out of a trace, and recomputes from the recorded query, key and lse the scores and
/// weights that the fused attention never stored. REQUIRES: layer and head exist.
HeadTrace trace_head(const Transformer& model, const Trace& trace, std::int64_t layer,
                     std::int64_t head);

/// One row of a head's weights: how much of each visible token (0 to `token`) goes into `token`.
std::vector<float> weights_row(const Transformer& model, const Trace& trace, std::int64_t layer,
                               std::int64_t head, std::int64_t token);

/// exp of the entropy of a row of weights: how many words are attended to, in effect.
double effective_words(std::span<const float> weights);

}  // namespace limelight
