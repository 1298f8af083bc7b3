#include "story/word_finder.h"

#include <algorithm>
#include <array>

namespace limelight {
namespace {

// Function words of English: not worth looking at when there is another. Sorted.
constexpr auto kFunctionWords = std::to_array<std::string_view>({
    "a",     "about", "after",  "again", "all",    "am",   "an",    "and",  "any",   "are",
    "as",    "at",    "be",     "been",  "before", "but",  "by",    "can",  "could", "did",
    "do",    "does",  "down",   "for",   "from",   "had",  "has",   "have", "he",    "her",
    "here",  "him",   "his",    "how",   "i",      "if",   "in",    "into", "is",    "it",
    "its",   "just",  "may",    "me",    "might",  "more", "most",  "must", "my",    "no",
    "nor",   "not",   "now",    "of",    "off",    "on",   "or",    "our",  "out",   "over",
    "shall", "she",   "should", "so",    "some",   "such", "than",  "that", "the",   "their",
    "them",  "then",  "there",  "these", "they",   "this", "those", "to",   "too",   "under",
    "until", "up",    "upon",   "us",    "very",   "was",  "we",    "were", "what",  "when",
    "where", "which", "while",  "who",   "whom",   "why",  "will",  "with", "would", "you",
    "your",
});

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view word) {
  std::string text(word);
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

bool is_letter(char c) {
  const char small = lower(c);
  return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_one_of(std::string_view word, std::span<const std::string> ambiguous) {
  return std::find(ambiguous.begin(), ambiguous.end(), word) != ambiguous.end();
}

bool is_function_word(std::string_view word) {
  return std::binary_search(kFunctionWords.begin(), kFunctionWords.end(), word);
}

}  // namespace

std::vector<WordSpan> words_of(std::string_view text) {
  std::vector<WordSpan> words;
  std::size_t i = 0;
  while (i < text.size()) {
    if (!is_letter(text[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    const auto inside = [&](std::size_t at) {
      return is_letter(text[at]) ||
             (text[at] == '\'' && at + 1 < text.size() && is_letter(text[at + 1]));
    };
    while (i < text.size() && inside(i)) ++i;
    words.push_back({begin, i});
  }
  return words;
}

std::optional<WordSpan> find_word(std::string_view text, std::string_view word) {
  const std::string wanted = lowered(word);
  std::optional<WordSpan> found;
  for (const WordSpan span : words_of(text)) {
    if (lowered(text.substr(span.begin, span.end - span.begin)) == wanted) found = span;
  }
  return found;
}

std::optional<ChosenWord> choose_word(std::string_view text,
                                      std::span<const std::string> ambiguous) {
  const std::vector<WordSpan> words = words_of(text);
  const auto last_where = [&](const auto& wanted) -> std::optional<WordSpan> {
    for (auto span = words.rbegin(); span != words.rend(); ++span) {
      if (wanted(lowered(text.substr(span->begin, span->end - span->begin)))) return *span;
    }
    return std::nullopt;
  };
  if (const auto span = last_where([&](const std::string& w) { return is_one_of(w, ambiguous); })) {
    return ChosenWord{*span, "a word with several meanings"};
  }
  if (const auto span = last_where([](const std::string& w) { return !is_function_word(w); })) {
    return ChosenWord{*span, "the last content word"};
  }
  if (words.empty()) return std::nullopt;
  return ChosenWord{words.back(), "the last word"};
}

}  // namespace limelight
