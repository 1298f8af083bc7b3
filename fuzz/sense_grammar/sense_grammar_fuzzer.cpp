// A grammar is a person's file: whatever stands in it is read or refused with file and line, and
// what is read can be written out.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "training/senses/sense_generator.h"
#include "training/senses/sense_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace limelight;
  const SenseSource sources[] = {{"fuzz.txt", std::string(data, data + size)}};
  const Result<SenseGrammar> grammar = parse_sense_grammar(sources);
  if (!grammar.ok()) {
    if (grammar.message().empty() || grammar.message().find('\n') != std::string::npos)
      std::abort();
    return 0;
  }
  if (grammar->words.empty()) return 0;
  if (generate_text(*grammar, {.seed = 1, .bytes = 2000}).size() < 2000) std::abort();
  for (const SenseWord& word : grammar->words) {
    for (const SenseExample& example :
         generate_examples(*grammar, {.word = word.word, .seed = 2, .count = 2})) {
      if (example.offset + example.length > example.text.size()) std::abort();
    }
  }
  return 0;
}
