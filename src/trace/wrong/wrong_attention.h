#pragma once

#include <limelight/tensor.h>

#include <cstdint>

#include "model/transformer.h"
#include "trace/matrix.h"
#include "trace/wrong/bug.h"

namespace limelight {

/// The attention of one head, made wrong on purpose, in f32, each line of it kept.
struct WrongHead {
  Matrix query, key, value;  ///< [length, head_dim], as the run cut them
  Matrix dots;               ///< [length, length], query . key
  Matrix scores;             ///< dots as the run scaled them
  /// What is hidden as the run hid it. A run that masks after the softmax has no such matrix: then
  /// it is what would have been right.
  Matrix masked_scores;
  Matrix weights;  ///< [length, length]
  Matrix context;  ///< [length, head_dim], weights x value
};

/// Query, key and value of all heads, [batch, num_heads, length, head_dim] of f32 with a last
/// stride of 1, and which head of which batch is meant.
struct HeadInputs {
  ConstTensorView query, key, value;
  std::int64_t batch = 0;
  std::int64_t head = 0;
};

/// Computes one head wrong. With Bug::no_position the attention itself is right.
WrongHead attend_wrongly(Bug bug, const HeadInputs& inputs);

/// The same from a recorded qkv [length, 3 * width], which lies without gaps.
WrongHead attend_wrongly(Bug bug, const TransformerConfig& config, const float* qkv,
                         std::int64_t length, std::int64_t head);

/// The weights that a causal mask with this stand-in for -infinity gives; scores [length, length].
Matrix weights_with_stand_in(const Matrix& scores, float stand_in);

/// A transformer that makes a mistake in every layer.
struct WrongModel {
  Bug bug;
  Transformer transformer;
};

/// The same parameters, attending by attend_wrongly; with Bug::no_position its position rows are
/// zero. It has no backward: that throws Error.
WrongModel make_wrong(const Transformer& model, Bug bug);

}  // namespace limelight
