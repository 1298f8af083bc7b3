#include "story/comparison_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace limelight {
namespace {

std::string quoted_word(const Comparison& comparison) {
  return "“" + printable_cell(comparison.word) + "”";
}

TokenId id_in(const ComparedText& text) { return text.ids[static_cast<std::size_t>(text.token)]; }

/// Two texts and the cosine between the word's vectors there.
struct Pair {
  std::size_t i = 0;
  std::size_t j = 1;
  double cosine = 0;
};

/// Every pair of different texts at a depth, i < j.
std::vector<Pair> pairs_at(const Comparison& comparison, std::int64_t depth) {
  const Matrix64& cosines = comparison.cosines[static_cast<std::size_t>(depth)];
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    for (std::size_t j = i + 1; j < comparison.texts.size(); ++j) {
      pairs.push_back(
          {i, j, cosines.at(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j))});
    }
  }
  return pairs;
}

/// "0.980", or "0.980 to 1.000" where they differ.
std::string range_of(double least, double most) {
  const std::string low = fmt::format("{:.3f}", least);
  const std::string high = fmt::format("{:.3f}", most);
  return low == high ? low : low + " to " + high;
}

std::string range_of_cosines(const Comparison& comparison, std::int64_t depth) {
  const auto [least, most] = std::ranges::minmax(pairs_at(comparison, depth), {}, &Pair::cosine);
  return range_of(least.cosine, most.cosine);
}

std::string different_tokens(const Comparison& comparison) {
  std::string text =
      fmt::format("{} is not the same token in every text:", quoted_word(comparison));
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    text +=
        fmt::format("{} {} in {}", i == 0 ? "" : ",", id_in(comparison.texts[i]), text_letter(i));
  }
  return text + fmt::format(
                    ". A capital, or a missing blank before it, makes another token with a row of "
                    "its own, so they differ from the start: the cosines between the embeddings "
                    "are {}.",
                    range_of_cosines(comparison, 0));
}

std::string one_token(const Comparison& comparison) {
  const ComparedText& first = comparison.texts.front();
  const auto [least, most] =
      std::ranges::minmax_element(comparison.texts, {}, &ComparedText::position_row_length);
  const std::string row = fmt::format(
      "{} is token {} in every text: one row of the table, of length {:.3f}, whatever it means.",
      quoted_word(comparison), id_in(first), first.token_row_length);
  const bool one_place = std::ranges::all_of(
      comparison.texts, [&](const ComparedText& text) { return text.token == first.token; });
  if (one_place) {
    return row + fmt::format(" It stands in the same place, {}, too, so it begins exactly alike.",
                             first.token);
  }
  return row + fmt::format(
                   " Only the row of its place is another (length {}), so it begins almost alike: "
                   "the cosines between the embeddings are {}.",
                   range_of(least->position_row_length, most->position_row_length),
                   range_of_cosines(comparison, 0));
}

}  // namespace

std::string how_it_begins(const Comparison& comparison) {
  const bool one_row = std::ranges::all_of(comparison.texts, [&](const ComparedText& text) {
    return id_in(text) == id_in(comparison.texts.front());
  });
  return one_row ? one_token(comparison) : different_tokens(comparison);
}

std::string how_it_ends(const Comparison& comparison) {
  const std::vector<Pair> pairs = pairs_at(comparison, comparison.depths() - 1);
  if (pairs.size() == 1) {
    return fmt::format(
        "The cosine between A and B was {:.3f} at the embedding, and is {:.3f} after the last "
        "layer.",
        pairs_at(comparison, 0).front().cosine, pairs.front().cosine);
  }
  std::string text = "After the last layer, ";
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    std::vector<Pair> own;
    std::ranges::copy_if(pairs, std::back_inserter(own),
                         [&](const Pair& pair) { return pair.i == i || pair.j == i; });
    const Pair nearest = std::ranges::max(own, {}, &Pair::cosine);
    text += fmt::format("{}{} lies nearest to {} ({:.3f})", i == 0 ? "" : ", ", text_letter(i),
                        text_letter(nearest.i == i ? nearest.j : nearest.i), nearest.cosine);
  }
  const Pair farthest = std::ranges::min(pairs, {}, &Pair::cosine);
  return text + fmt::format(". Farthest apart are {} and {} ({:.3f}).", text_letter(farthest.i),
                            text_letter(farthest.j), farthest.cosine);
}

}  // namespace limelight
