#pragma once

#include <limelight/result.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

struct Piece;

/// One line of the sense grammar, ready to be filled in: its pieces, written out one after the
/// other.
using Pattern = std::vector<Piece>;

/// Invariants: kText has `text`; kChoice has `options` (two or more); kSlot has `text`, the slot's
/// name, and once the grammar is whole `slot`, its index; kForm has `attribute` as well; kMark has
/// `text`, the ambiguous word as it stands in the sentence.
struct Piece {
  enum class Kind {
    kText,    ///< plain words
    kChoice,  ///< {one|other|}: one of the options, which are patterns themselves
    kSlot,    ///< {lamp}: an entry of the slot's list
    kForm,    ///< {person.their}: an attribute of the entry last drawn for the slot
    kMark,    ///< [light]: the ambiguous word
  };

  Kind kind = Kind::kText;
  std::string text;
  std::string attribute;
  std::size_t slot = 0;
  std::vector<Pattern> options;
};

/// Reads one line of the grammar's sentence language (data/senses/README.md). The failure says what
/// was wrong and at which column, not in which file.
Result<Pattern> parse_pattern(std::string_view text);

/// Whether `text` is a name as slots and attributes have them: a lower-case letter, then lower-case
/// letters, digits and underscores.
bool is_slot_name(std::string_view text);

}  // namespace limelight
