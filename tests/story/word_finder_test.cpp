#include "story/word_finder.h"

#include <gtest/gtest.h>

namespace limelight {
namespace {

std::string chosen(const std::string& text) {
  const std::vector<std::string> ambiguous = {"light", "lights", "bank", "match", "matches"};
  const auto word = choose_word(text, ambiguous);
  return word ? text.substr(word->span.begin, word->span.end - word->span.begin) : "(none)";
}

TEST(ChooseWord, PrefersTheLastAmbiguousWord) {
  EXPECT_EQ(chosen("She struck a match and the lamp gave a warm light"), "light");
  EXPECT_EQ(chosen("The Light was on and the lamp stood there"), "Light");
  EXPECT_EQ(chosen("He struck three matches in the wind."), "matches");
}

TEST(ChooseWord, ElseTheLastContentWordElseTheLast) {
  EXPECT_EQ(chosen("The cat sat on the mat with it"), "mat");
  EXPECT_EQ(chosen("this is it"), "it");
  EXPECT_EQ(chosen("delighted"), "delighted");
  EXPECT_EQ(chosen("?!"), "(none)");
}

TEST(FindWord, IsTheLastWholeWordWhateverItsCase) {
  const std::string text = "Light, lighter, LIGHT; delight.";
  EXPECT_EQ(find_word(text, "light"), (WordSpan{16, 21}));
  EXPECT_EQ(find_word(text, "ligh"), std::nullopt);
  EXPECT_EQ(find_word("She doesn't.", "doesn't"), (WordSpan{4, 11}));
  EXPECT_EQ(find_word("日本語 light", "日本語"), (WordSpan{0, 9}));
}

}  // namespace
}  // namespace limelight
