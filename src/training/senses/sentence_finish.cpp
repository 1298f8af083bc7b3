#include "training/senses/sentence_finish.h"

#include <algorithm>
#include <array>

namespace limelight {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool is_mark(char c) { return c == kMarkOpens || c == kMarkCloses; }

template <std::size_t N>
bool starts_with_any(std::string_view word, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return word.starts_with(prefix); });
}

/// Empty optional parts leave double spaces and spaces before punctuation; these go.
std::string tidy_spaces(std::string_view raw) {
  constexpr std::string_view kClosing = ",.;:?!";
  std::string text;
  for (const char c : raw) {
    const bool after_space = text.empty() || text.back() == ' ';
    if (c == ' ' && after_space) continue;
    if (kClosing.find(c) != std::string_view::npos && !text.empty() && after_space) text.pop_back();
    text += c;
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// The word (letters, digits) that begins at or, past quotation marks and marks, after `at`.
std::string_view word_from(std::string_view text, std::size_t at) {
  while (at < text.size() && (is_mark(text[at]) || text[at] == '"')) ++at;
  std::size_t end = at;
  while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
  return text.substr(at, end - at);
}

bool is_article(std::string_view word) {
  return word == "a" || word == "an" || word == "A" || word == "An";
}

/// Writes "a" or "an" wherever either stands, by the word that follows.
std::string fit_articles(std::string_view text) {
  std::string fitted;
  std::size_t at = 0;
  while (at < text.size()) {
    const bool starts_word =
        is_letter(text[at]) && (at == 0 || !(is_letter(text[at - 1]) || text[at - 1] == '\''));
    if (!starts_word) {
      fitted += text[at++];
      continue;
    }
    const std::string_view word = word_from(text, at);
    const std::size_t next = at + word.size();
    if (is_article(word) && next < text.size() && text[next] == ' ') {
      fitted += word[0];
      if (starts_with_vowel_sound(word_from(text, next + 1))) fitted += 'n';
    } else {
      fitted += word;
    }
    at = next;
  }
  return fitted;
}

/// Capitals at the start and after the end of each sentence, also inside quotation marks.
void capitalise(std::string& text) {
  constexpr std::string_view kEnds = ".?!";
  bool starts = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_mark(c)) continue;
    if (is_letter(c) || is_digit(c)) {
      if (starts) text[i] = to_upper(c);
      starts = false;
    } else if (kEnds.find(c) != std::string_view::npos) {
      // Not where speech goes on after its closing mark: "Is it?" she asked.
      starts = i + 1 < text.size() && text[i + 1] == ' ';
    }
  }
}

}  // namespace

bool starts_with_vowel_sound(std::string_view word) {
  constexpr std::array<std::string_view, 4> kSilentH = {"hour", "honest", "honour", "heir"};
  constexpr std::array<std::string_view, 7> kYouSound = {"eu", "ewe", "use", "usu",
                                                         "ut", "uku", "uni"};
  constexpr std::array<std::string_view, 4> kUnAll = {"unin", "unim", "unid", "utt"};
  std::string lower(word);
  for (char& c : lower) c = to_lower(c);
  if (lower.empty()) return false;
  if (is_digit(lower[0])) return lower[0] == '8' || lower == "11" || lower == "18";
  if (starts_with_any(lower, kSilentH) || lower == "x") return true;
  if (lower == "one" || lower == "once" || lower == "ones") return false;
  if (starts_with_any(lower, kUnAll)) return true;
  if (starts_with_any(lower, kYouSound)) return false;
  return std::string_view("aeiou").find(lower[0]) != std::string_view::npos;
}

FinishedSentence finish_sentence(std::string_view raw) {
  std::string text = fit_articles(tidy_spaces(raw));
  capitalise(text);
  FinishedSentence finished;
  for (const char c : text) {
    if (c == kMarkOpens) finished.mark_offset = finished.text.size();
    if (c == kMarkCloses) finished.mark_length = finished.text.size() - finished.mark_offset;
    if (!is_mark(c)) finished.text += c;
  }
  return finished;
}

}  // namespace limelight
