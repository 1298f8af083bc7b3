#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "training/senses/random_draws.h"
#include "training/senses/sense_grammar.h"
#include "training/senses/sentence_finish.h"

namespace limelight {

/// Writes the sentences of one paragraph. It remembers whom the paragraph is about: a person of one
/// sentence often comes back in the next, and may then be called "she". Not for several threads.
class SentenceWriter {
 public:
  /// Both must outlive the writer.
  SentenceWriter(const SenseGrammar& grammar, RandomDraws& random)
      : grammar_(grammar), random_(random) {}

  /// The frame with every slot filled in.
  FinishedSentence write(const Frame& frame);

 private:
  struct Drawn {
    std::string text;
    Attributes forms;
    std::size_t sentence = 0;  ///< the number of the sentence in which it was drawn or came back
  };

  void write_pattern(const Pattern& pattern, std::string& out);
  void write_slot(const Piece& piece, bool before_apostrophe, std::string& out);
  bool repeat_referent(std::size_t slot, bool before_apostrophe, std::string& out);
  Drawn draw(std::size_t slot);
  const SlotEntry& pick(const Slot& slot);

  const SenseGrammar& grammar_;
  RandomDraws& random_;
  std::map<std::size_t, Drawn> drawn_;    ///< what each slot last yielded, in the whole paragraph
  std::vector<std::string> in_sentence_;  ///< what was drawn in this sentence, to avoid twice
  std::size_t sentence_ = 0;
};

}  // namespace limelight
