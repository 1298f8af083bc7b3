#include <fmt/format.h>

#include "story/steps/steps.h"

namespace limelight {
namespace {

FactTable token_table(const Narrator& n) {
  FactTable table = {"tokens", "The tokens of this text and their numbers", {"id"}, {}};
  for (std::int64_t t = 0; t < n.tokens(); ++t) {
    table.rows.push_back({readable_token(n.story.token_texts[static_cast<std::size_t>(t)]),
                          {static_cast<double>(n.story.ids[static_cast<std::size_t>(t)])}});
  }
  return table;
}

std::string about_the_word(const Narrator& n) {
  const std::int64_t pieces = n.story.token - n.story.first_token + 1;
  if (pieces == 1) return "";
  return fmt::format(
      " {} is cut into {} tokens; what is shown is the last of them, {}, which has seen the "
      "others.",
      n.word(), pieces, n.token(n.story.token));
}

}  // namespace

Step words_step(const Narrator& n) {
  const std::int64_t token = n.story.token;
  const auto id = n.story.ids[static_cast<std::size_t>(token)];
  Step step = {1, "words", "Words become numbers", "What does the model see?", {}, ""};
  step.blocks.push_back(Prose{fmt::format(
      "The text is cut into {} token{}: words and pieces of words, each with a "
      "number in the model's vocabulary of {}.{}",
      n.tokens(), n.tokens() == 1 ? "" : "s", n.story.config.vocab_size, about_the_word(n))});
  step.blocks.push_back(token_table(n));
  step.blocks.push_back(
      Prose{fmt::format("For every token the model has learned a row of {} numbers, its embedding. "
                        "{} is token {}, and row {} of the table is all that the model knows of it "
                        "by itself. A second table has a row for every place in the text; here it "
                        "is place {}, counted from 0. The two rows are added.",
                        n.story.config.width, n.token(token), id, id, token)});
  const float from_token = n.row("token_embedding")[0];
  const float from_place = n.row("position_embedding")[0];
  step.blocks.push_back(Formula{"x = token row + place row",
                                fmt::format("x₀ = {} + {} = {}", number(from_token),
                                            number(from_place), number(n.row("embedding")[0]))});
  step.blocks.push_back(n.table("token_row", "Its row of the token table", "token_embedding"));
  step.blocks.push_back(
      n.table("place_row", "The row of its place in the text", "position_embedding"));
  step.blocks.push_back(n.table("embedding", "Their sum: what the model begins with", "embedding"));
  step.falls_short = fmt::format(
      "{} has one row in the table, whatever the sentence says: an average of everything that the "
      "word can mean. What it means here is said by the words around it, and nothing has looked at "
      "them yet.",
      n.word());
  return step;
}

}  // namespace limelight
