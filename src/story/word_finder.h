#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

/// A word of a text: bytes [begin, end).
struct WordSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const WordSpan&) const = default;
};

/// The words of a UTF-8 text: runs of letters, digits and apostrophes between letters; every byte
/// from 0x80 counts as a letter.
std::vector<WordSpan> words_of(std::string_view text);

/// The last word of the text that equals `word`, ASCII case aside.
std::optional<WordSpan> find_word(std::string_view text, std::string_view word);

/// A word worth looking at, and why.
struct ChosenWord {
  WordSpan span;
  std::string reason;
};

/// The last word that is one of `ambiguous` (lower case), else the last content
/// word (no article, pronoun, preposition ...), else the last word. None when the text has no word.
std::optional<ChosenWord> choose_word(std::string_view text,
                                      std::span<const std::string> ambiguous);

}  // namespace limelight
