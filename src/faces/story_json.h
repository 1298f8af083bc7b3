#pragma once

#include <string>

#include "story/story.h"

namespace limelight {

/// How tensors are written: as nested arrays that read back to the same float (-infinity as null),
/// or, smaller and for the page, as base64 of their little-endian float32 bytes.
enum class TensorEncoding : std::uint8_t { arrays, base64 };

/// A story as data, one JSON object on one line:
///
///   format    "limelight-story-1"
///   hash      of model, text and options
///   text, model {name, layers, heads, width, head_dim, context_length}
///   tokens    [{id, text, bytes where the text is not UTF-8}]
///   word      {text, first_token, token, chosen_because}
///   layer, head, effective_words, head_chosen_because     of the first telling
///   bug       {name, title, text, wrong, right, recognise} of a run that is wrong on purpose; its
///             last step says what breaks
///   query, key, value, scores, weights, context           of that head, a row a token; arrays only
///   tensors   {NAME: {axes, shape, rows where not all tokens, values (arrays) or data (base64),
///              recipe {operation, operands, factor},
///              proof {largest_difference, relative, row, column, token of that row} where proven}}
///   tellings  [{layer, head, chosen_because, effective_words, steps: [{number, id, title,
///              question, blocks, falls_short}]}]
///     blocks  {kind: "prose", text}
///             {kind: "formula", symbols, numbers}
///             {kind: "tensor", id, caption, tensor, cells: "numbers" | "scores" | "weights",
///              token or null, whole}
///             {kind: "facts", id, caption, columns, rows: [{label, values}]}
///             {kind: "path", id, caption, x_axis, y_axis, share, points: [{label, x, y}]}
///   next      [{id, text, probability}]
///   proof     {reference: "float64", holds, seconds, largest_relative_allowed,
///              invariants: [{invariant, holds, measured}]}
///   cost      {seconds, operations, bytes, attention_seconds, attention_operations,
///              operations_ceiling}
///
/// Base64 stories hold what a page shows (page_tensors): a recipe may name an operand that
/// `tensors` does not hold. A step of a later telling that is the first telling's word for word is
/// {number, as_in_first: true} there, and a block of it that is the first telling's at the same
/// place {kind: "as_in_first"}.
std::string story_to_json(const Story& story, TensorEncoding encoding);

}  // namespace limelight
