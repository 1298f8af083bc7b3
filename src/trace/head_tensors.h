#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trace/trace.h"

namespace limelight {

/// One head of one layer of a run, and the tokens whose rows are kept (empty: all).
struct HeadPlace {
  const Transformer& model;
  std::int64_t layer;
  std::int64_t head;
  std::span<const std::int64_t> rows;
  std::optional<Bug> bug = {};  ///< made in the run that is recorded
};

/// Adds a head's parameters, its query, key and value (cut from qkv [tokens, 3 * width]), and what
/// the fused attention never stored: dots, scores, masked scores, and the weights of the run, by
/// the row's own lse [tokens]. REQUIRES: norm_1 of the layer is there.
void add_head_scores(Trace& trace, const HeadPlace& place, MatrixView qkv,
                     std::span<const float> lse);

/// Adds a head's context (cut from the joined context [tokens, width]) and its write.
/// REQUIRES: add_head_scores.
void add_head_context(Trace& trace, const HeadPlace& place, MatrixView context);

/// The factor that scores are dot products times: 1 / sqrt(head_dim).
double softmax_scale_of(const TransformerConfig& config);

/// The chosen rows of a matrix; all of them where none is chosen.
Matrix rows_of(MatrixView from, std::span<const std::int64_t> rows);

/// {operands}, without the last where the model has no biases.
Recipe with_bias(const TransformerConfig& config, Recipe recipe);

}  // namespace limelight
