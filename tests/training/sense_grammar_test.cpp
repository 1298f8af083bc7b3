// The sense grammar: what is written in it comes out, what is wrong in it is named with its line,
// and the grammar that lantern learns from keeps its promises.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "training/senses/sense_generator.h"
#include "training/senses/sense_grammar.h"

namespace limelight::test {
namespace {

using testing::HasSubstr;

constexpr const char* kSmall = R"(word bark: barks

sense dog: what a dog says
slot dog: dog | puppy *3 | old dog
before:
the {dog} gave a [bark].
? a {dog} began to [bark] {loudly|again}.
after:
the [bark] of the {dog} was heard.
lead:
the {dog} slept.

sense tree: the skin of a tree
before:
an oak has a thick [bark].
? moss grew on the [bark].
after:
the [bark] of the oak was wet.
lead:
the oak was old.
)";

SenseGrammar small_grammar() {
  const SenseSource sources[] = {{"bark.txt", kSmall}};
  return parse_sense_grammar(sources).value();
}

std::string failure_of(std::string text) {
  const SenseSource sources[] = {{"bark.txt", std::move(text)}};
  const Result<SenseGrammar> grammar = parse_sense_grammar(sources);
  return grammar.ok() ? "accepted" : grammar.message();
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text = kSmall;
  return text.replace(text.find(from), from.size(), to);
}

TEST(SenseGrammar, MistakesAreNamedWithTheirLine) {
  EXPECT_THAT(failure_of(replaced("gave a [bark]", "gave a bark")), HasSubstr("bark.txt:6"));
  EXPECT_THAT(failure_of(replaced("gave a [bark]", "gave a [meow]")), HasSubstr("bark.txt:6"));
  EXPECT_THAT(failure_of(replaced("the {dog} gave", "the {cat} gave")), HasSubstr("cat"));
  EXPECT_THAT(failure_of(replaced("the {dog} gave", "the {dog gave")), HasSubstr("bark.txt:6"));
  EXPECT_THAT(failure_of(replaced("puppy *3", "puppy *0")), HasSubstr("bark.txt:4"));
  EXPECT_THAT(failure_of(replaced("slot dog: dog", "slot dog: {dog}")), HasSubstr("dog"));
  EXPECT_THAT(failure_of(replaced("lead:", "leads:")), HasSubstr("bark.txt:10"));
  EXPECT_EQ(failure_of(kSmall), "accepted");
}

TEST(SenseGrammar, AllThatIsWrittenComesOut) {
  const SenseGrammar grammar = small_grammar();
  std::set<std::string> seen;
  for (const SenseExample& example : generate_examples(
           grammar, {.word = "bark", .position = SensePosition::kBefore, .held_out = true})) {
    seen.insert(example.text);
    EXPECT_EQ(example.text.substr(example.offset, example.length), "bark");
  }
  EXPECT_EQ(seen,
            (std::set<std::string>{"A dog began to bark loudly.", "A dog began to bark again.",
                                   "A puppy began to bark loudly.", "A puppy began to bark again.",
                                   "An old dog began to bark loudly.",
                                   "An old dog began to bark again.", "Moss grew on the bark."}));
}

TEST(SenseGrammar, HeldOutFramesAreInNoTrainingText) {
  const std::string text = generate_text(small_grammar(), {.seed = 3, .bytes = 200'000});
  EXPECT_THAT(text, HasSubstr("An oak has a thick bark."));
  EXPECT_THAT(text, HasSubstr("old dog gave a bark."));
  EXPECT_THAT(text, testing::Not(HasSubstr("began to bark")));
  EXPECT_THAT(text, testing::Not(HasSubstr("Moss grew")));
}

TEST(SenseGrammar, ALongerTextBeginsWithTheShorterOne) {
  const SenseGrammar grammar = small_grammar();
  const std::string longer = generate_text(grammar, {.seed = 9, .bytes = 60'000});
  const std::string shorter = generate_text(grammar, {.seed = 9, .bytes = 5'000});
  EXPECT_EQ(longer.substr(0, shorter.size()), shorter);
  EXPECT_NE(generate_text(grammar, {.seed = 10, .bytes = 5'000}), shorter);
}

class ShippedGrammar : public testing::Test {
 protected:
  static const SenseGrammar& grammar() {
    static const SenseGrammar loaded =
        load_sense_grammar(std::string(LIMELIGHT_SOURCE_DIR) + "/data/senses").value();
    return loaded;
  }
};

TEST_F(ShippedGrammar, HasManyWordsAndLightWithFourSensesOrMore) {
  EXPECT_GE(grammar().words.size(), 15U);
  ASSERT_NE(grammar().find("light"), nullptr);
  EXPECT_GE(grammar().find("light")->senses.size(), 4U);
  for (const SenseWord& word : grammar().words) EXPECT_GE(word.senses.size(), 2U) << word.word;
}

TEST_F(ShippedGrammar, EverySenseIsMeasuredOnFramesOfItsOwn) {
  for (const SenseWord& word : grammar().words) {
    for (const SensePosition position : {SensePosition::kBefore, SensePosition::kAfter}) {
      std::set<std::string> senses;
      for (const SenseExample& example : generate_examples(
               grammar(),
               {.word = word.word, .position = position, .held_out = true, .count = 4})) {
        senses.insert(example.sense);
      }
      EXPECT_EQ(senses.size(), word.senses.size()) << word.word;
    }
  }
}

/// No held-out sentence can be found in the training text as it stands.
TEST_F(ShippedGrammar, HeldOutSentencesAreNotTrainedOn) {
  const std::string text = generate_text(grammar(), {.seed = 1, .bytes = 2'000'000});
  for (const SenseWord& word : grammar().words) {
    for (const SenseExample& example :
         generate_examples(grammar(), {.word = word.word,
                                      .position = SensePosition::kBefore,
                                      .held_out = true,
                                      .seed = 5,
                                      .count = 20})) {
      EXPECT_EQ(text.find(example.text), std::string::npos) << example.text;
    }
  }
}

}  // namespace
}  // namespace limelight::test
