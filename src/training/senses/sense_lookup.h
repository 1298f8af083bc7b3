#pragma once

#include <limelight/result.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "training/senses/sense_grammar.h"

namespace limelight {

/// The names visible in one place of the grammar: its own slots first, then those around it.
struct Scope {
  std::map<std::string, std::size_t> slots;  ///< name to index in SenseGrammar::slots
  const Scope* outer = nullptr;

  /// The slot's index, or nothing.
  const std::size_t* find(const std::string& name) const;
};

/// Moves `block`'s slots into the grammar and into `scope`. Fails on a name defined twice.
Status declare_slots(Block& block, SenseGrammar& grammar, Scope& scope);

/// Gives every {slot} and {slot.form} of the pattern its index.
Status look_up(Pattern& pattern, const Scope& scope, const std::string& where);

/// Checks, once all slots are looked up: no slot contains itself, nothing expands beyond
/// SenseGrammar::kLongestExpansion, every {slot.form} follows its {slot} and each entry has the
/// form.
Status check_expansions(const SenseGrammar& grammar);

}  // namespace limelight
