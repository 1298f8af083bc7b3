#pragma once

#include <string>

#include "story/comparison.h"

namespace limelight {

/// A comparison as data, one JSON object on one line:
///
///   format    "limelight-comparison-1"
///   hash      of model, texts and options
///   model     {name, layers, heads, width, head_dim, context_length}
///   word      {text, chosen_because}
///   layer, head, head_chosen_because
///   depths    ["embedding", "layer 0", ...]
///   texts     [{name: "A", text, tokens: [{id, text, bytes where the text is not UTF-8}],
///               word {text, first_token, token}, token_row_length, position_row_length,
///               vectors [depth][width], effective_words,
///               contributions [{token, weight, write_length, share}],
///               nearest {before: [{text, cosine}], after: [...]},
///               points [{x, y}], one a depth}]
///   cosines   [depth][text][text]
///   plane     {x_axis, y_axis, x_share, y_share}
///   begins, ends      what the numbers say
///   proof     {reference: "float64", holds, invariants: [{text, invariant, holds, measured}]}
std::string comparison_to_json(const Comparison& comparison);

}  // namespace limelight
