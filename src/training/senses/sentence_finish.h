#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace limelight {

/// Stand around the ambiguous word while a sentence is put together. Grammar files cannot hold
/// them.
constexpr char kMarkOpens = '\x01';
constexpr char kMarkCloses = '\x02';

/// A sentence fit to read, and where its marked word lies (length 0 when nothing was marked).
struct FinishedSentence {
  std::string text;
  std::size_t mark_offset = 0;
  std::size_t mark_length = 0;
};

/// Makes a sentence out of filled-in slots: single spaces, none before punctuation, "a" or "an" by
/// the sound of the next word, a capital after the start, a full stop or an opening quotation mark
/// that follows one. Takes the marks out and says where they stood.
FinishedSentence finish_sentence(std::string_view raw);

/// Whether English says "an" before this word.
bool starts_with_vowel_sound(std::string_view word);

}  // namespace limelight
