#include "story/companions.h"

#include <algorithm>

#include "training/senses/sense_generator.h"

namespace limelight {

std::vector<Companion> sense_companions(const SenseGrammar& grammar, const std::string& word) {
  std::vector<Companion> companions;
  const SenseWord* known = grammar.find(word);
  if (known == nullptr) return companions;
  const auto gloss_of = [&](const std::string& name) {
    const auto sense = std::ranges::find(known->senses, name, &Sense::name);
    return sense == known->senses.end() || sense->gloss.empty() ? name : sense->gloss;
  };
  for (const SenseExample& example :
       generate_examples(grammar, {.word = known->word, .held_out = true, .count = 1})) {
    companions.push_back({example.text, gloss_of(example.sense), example.offset, example.length});
  }
  return companions;
}

}  // namespace limelight
