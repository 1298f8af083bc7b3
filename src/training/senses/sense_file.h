#pragma once

#include <limelight/result.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "training/senses/sense_pattern.h"

namespace limelight {

/// Forms of a drawn entry besides its own text: they=she, their=her. At most kLongestForm bytes
/// each.
constexpr std::size_t kLongestForm = 40;
using Attributes = std::map<std::string, std::string>;

/// One entry of a slot's list, drawn `weight` times as often as an entry of weight 1.
struct SlotEntry {
  Pattern pattern;
  Attributes attributes;
  std::uint32_t weight = 1;
};

/// A named list from which {name} draws. Invariant: at least one entry.
struct Slot {
  std::string name;
  std::vector<SlotEntry> entries;
  std::string where;  ///< "file:line", for messages
};

/// One sentence (or a few) with slots to fill in. A held-out one is never trained on.
struct Frame {
  Pattern pattern;
  bool held_out = false;
  std::string where;
};

/// What stands between two headings of a grammar file, as it was written: nothing is looked up yet.
struct Block {
  enum class Kind { kCommon, kShells, kWord, kSense, kTopic };

  Kind kind = Kind::kCommon;
  std::string name;
  std::string gloss;               ///< kSense: what the sense means, for a reader
  std::vector<std::string> forms;  ///< kWord: the word and its inflections, in lower case
  std::vector<std::string> uses;   ///< kSense: the shells it takes over
  std::string where;
  std::vector<Slot> slots;
  std::vector<Frame> before;     ///< the telling context stands before the marked word
  std::vector<Frame> after;      ///< it stands after the marked word
  std::vector<Frame> lead;       ///< sentences of the same world without the marked word
  std::vector<Frame> sentences;  ///< kTopic: its text
};

/// Reads one grammar file (data/senses/README.md says how it is written). `name` is the file's name
/// in messages. The bytes are not trusted: every failure is "name:line: what was wrong, expected".
Result<std::vector<Block>> read_sense_file(std::string_view text, std::string_view name);

}  // namespace limelight
