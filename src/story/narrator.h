#pragma once

#include <string>
#include <string_view>

#include "story/story.h"

namespace limelight {

/// 0.6142 as "61 %", 0.031 as "3.1 %", 0.0002 as "under 0.1 %".
std::string percent(double share);
/// A formatted number for a person to read: ASCII's hyphen in front becomes a real minus sign.
std::string with_minus(std::string text);
/// A number as prose shows it: "0.4644", "−12.31", "3.2e-07". The minus sign is a real one.
std::string number(double value);

/// Who tells a story's steps: knows the run, the word, and one layer and head, and puts numbers
/// into words. Steps are made by functions (steps.h) that take a Narrator.
class Narrator {
 public:
  Narrator(const Story& run, std::int64_t told_layer, std::int64_t told_head,
           std::string choice_reason)
      : story(run), layer(told_layer), head(told_head), reason(std::move(choice_reason)) {}

  const Story& story;
  std::int64_t layer;
  std::int64_t head;
  std::string reason;  ///< why this layer and head; "" when both were asked for

  /// The word that the story is about, in quotation marks.
  std::string word() const;
  /// A token in quotation marks; a second token of the same text gets its place added.
  std::string token(std::int64_t index) const;
  std::int64_t tokens() const { return std::ssize(story.ids); }
  /// How many tokens the word can see: itself and those before it.
  std::int64_t visible() const { return story.token + 1; }
  /// Whether matrices were made whole, and not the word's row alone.
  bool whole() const;

  /// "layer.L.head.H.NAME" of the told head, "layer.L.NAME" of its layer.
  std::string of_head(std::string_view name) const;
  std::string of_layer(std::string_view name) const;
  MatrixView values(const std::string& tensor) const { return story.trace.values(tensor); }
  /// The word's row of a tensor.
  std::span<const float> row(const std::string& tensor) const {
    return story.trace.row(tensor, story.token);
  }

  /// A table of a tensor, with the word's row as the one that is meant.
  TensorTable table(std::string id, std::string caption, std::string tensor,
                    CellKind cells = CellKind::numbers) const;
  /// The same with the whole matrix as the point, where it was made.
  TensorTable matrix(std::string id, std::string caption, std::string tensor, CellKind cells) const;
};

/// "a₀·b₀ + a₁·b₁ + … = sum": the first terms of a sum of products, and what all of them make.
std::string sum_of_products(std::span<const float> a, std::span<const float> b, double sum);

/// How number 0 of the word's query, key or value is made of its input: "query₀ = ... = ...".
std::string projection_in_numbers(const Narrator& narrator, std::string_view name);

/// A token's text as a person reads it: without the leading blank that says "a new word".
std::string readable_token(std::string_view bytes);

}  // namespace limelight
