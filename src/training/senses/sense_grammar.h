#pragma once

#include <limelight/result.h>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/senses/sense_file.h"

namespace limelight {

/// One meaning of an ambiguous word. Every `before` and `after` frame marks the word exactly once.
struct Sense {
  std::string name;
  std::string gloss;
  std::vector<Frame> before;  ///< the telling context stands before the marked word
  std::vector<Frame> after;   ///< it stands after the marked word
  std::vector<Frame> lead;    ///< sentences of the same world without a mark
};

/// An ambiguous word: two or more senses. `forms` holds the word itself and its inflections.
struct SenseWord {
  std::string word;
  std::vector<std::string> forms;
  std::vector<Sense> senses;
};

/// Everyday sentences on one topic.
struct EverydayTopic {
  std::string name;
  std::vector<Frame> sentences;
};

/// A whole grammar, looked up and checked: every slot in every pattern has its index in `slots`, no
/// slot contains itself, no pattern expands beyond kLongestExpansion bytes, every sense has a frame
/// to train on in `before` and `after`, and shells stand in the senses that use them. Immutable
/// once loaded, so any number of threads may read it.
struct SenseGrammar {
  static constexpr std::size_t kLongestExpansion = 4096;

  std::vector<Slot> slots;
  std::vector<SenseWord> words;
  std::vector<EverydayTopic> topics;

  /// The ambiguous word that has `form` (in any letter case) among its forms; null when none has.
  const SenseWord* find(std::string_view form) const;
  /// Every form of every ambiguous word.
  std::vector<std::string> all_forms() const;
};

/// The text of one grammar file and the name by which messages call it.
struct SenseSource {
  std::string name;
  std::string text;
};

/// Reads a grammar from its files' texts, in any order. Untrusted: failures are
/// "file:line: what was wrong, what was expected".
Result<SenseGrammar> parse_sense_grammar(std::span<const SenseSource> sources);

/// Reads every .txt file in `folder` and the folders in it (data/senses/README.md has the format).
Result<SenseGrammar> load_sense_grammar(const std::filesystem::path& folder);

}  // namespace limelight
