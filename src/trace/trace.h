#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/transformer.h"
#include "trace/matrix.h"

namespace limelight {

/// Everything that one layer computed for one text: [tokens, ...], named as model/recorder.h's
/// doors.
struct LayerTrace {
  Matrix residual_in;
  Matrix ln_1;
  Matrix qkv;
  Matrix lse;  ///< [num_heads, tokens]
  Matrix context;
  Matrix attention_out;
  Matrix residual_mid;
  Matrix ln_2;
  Matrix mlp_hidden;
  Matrix mlp_activated;
  Matrix mlp_out;
  Matrix residual_out;
};

/// One run of a model over one text, with every intermediate as the engine left it.
struct Trace {
  std::vector<std::int32_t> ids;
  Matrix token_embedding;     ///< [tokens, width], rows of the table
  Matrix position_embedding;  ///< [tokens, width]
  Matrix embedding;           ///< their sum, as the engine added it
  std::vector<LayerTrace> layers;
  Matrix ln_f;
  Matrix logits;  ///< [1, vocab_size], after the last token
};

/// Runs the model over the ids with a recorder at each door.
/// Throws Error when the ids do not fit the model.
Trace record_trace(const Transformer& model, std::span<const std::int32_t> ids);

}  // namespace limelight
