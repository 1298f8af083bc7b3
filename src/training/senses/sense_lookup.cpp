#include "training/senses/sense_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace limelight {
namespace {

constexpr int kDeepestSlot = 32;

/// Walks the slots depth first. Invariant: longest_[i] is final once state_[i] is kDone.
class ExpansionChecker {
 public:
  explicit ExpansionChecker(const SenseGrammar& grammar)
      : grammar_(grammar),
        state_(grammar.slots.size(), State::kNew),
        longest_(grammar.slots.size(), 0),
        forms_(grammar.slots.size()) {}

  Status check_slots() {
    for (std::size_t i = 0; i < grammar_.slots.size(); ++i) {
      Status status = visit(i);
      if (!status.ok()) return status;
    }
    return success();
  }

  Status check_frames(const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) {
      Result<std::size_t> length = longest(frame.pattern, frame.where);
      if (!length.ok()) return length.failure();
      std::vector<std::size_t> drawn;
      Status status = check_forms(frame.pattern, frame.where, drawn);
      if (!status.ok()) return status;
    }
    return success();
  }

 private:
  enum class State { kNew, kOpen, kDone };

  Status visit(std::size_t index) {
    if (state_[index] == State::kDone) return success();
    const Slot& slot = grammar_.slots[index];
    if (state_[index] == State::kOpen) {
      return Failure{
          fmt::format("{}: slot \"{}\" contains itself; break the circle", slot.where, slot.name)};
    }
    if (depth_ == kDeepestSlot) {
      return Failure{fmt::format("{}: slot \"{}\" is inside {} others; expected shallower lists",
                                 slot.where, slot.name, kDeepestSlot)};
    }
    state_[index] = State::kOpen;
    ++depth_;
    for (const SlotEntry& entry : slot.entries) {
      Result<std::size_t> length = longest(entry.pattern, slot.where);
      if (!length.ok()) return length.failure();
      longest_[index] = std::max(longest_[index], *length);
    }
    --depth_;
    forms_[index] = common_forms(slot);
    state_[index] = State::kDone;
    return success();
  }

  Result<std::size_t> longest(const Pattern& pattern, const std::string& where) {
    std::size_t sum = 0;
    for (const Piece& piece : pattern) {
      Result<std::size_t> length = longest(piece, where);
      if (!length.ok()) return length.failure();
      sum += *length;
      if (sum > SenseGrammar::kLongestExpansion) {
        return Failure{fmt::format("{}: can expand to more than {} bytes; expected shorter text",
                                   where, SenseGrammar::kLongestExpansion)};
      }
    }
    return sum;
  }

  Result<std::size_t> longest(const Piece& piece, const std::string& where) {
    if (piece.kind == Piece::Kind::kSlot) {
      Status status = visit(piece.slot);
      if (!status.ok()) return status.failure();
      return longest_[piece.slot];
    }
    if (piece.kind == Piece::Kind::kForm) return kLongestForm;
    std::size_t length = piece.text.size();
    for (const Pattern& option : piece.options) {
      Result<std::size_t> inside = longest(option, where);
      if (!inside.ok()) return inside.failure();
      length = std::max(length, *inside);
    }
    return length;
  }

  /// The attributes that every entry of the slot brings, its own or those of a slot inside it.
  std::vector<std::string> common_forms(const Slot& slot) const {
    std::vector<std::string> common = entry_forms(slot.entries.front());
    for (const SlotEntry& entry : slot.entries) {
      const std::vector<std::string> forms = entry_forms(entry);
      std::erase_if(common, [&](const std::string& form) {
        return std::find(forms.begin(), forms.end(), form) == forms.end();
      });
    }
    return common;
  }

  std::vector<std::string> entry_forms(const SlotEntry& entry) const {
    std::vector<std::string> forms;
    for (const auto& [name, text] : entry.attributes) forms.push_back(name);
    for (const Piece& piece : entry.pattern) {
      if (piece.kind != Piece::Kind::kSlot) continue;
      forms.insert(forms.end(), forms_[piece.slot].begin(), forms_[piece.slot].end());
    }
    return forms;
  }

  /// `drawn` collects the slots that are drawn for certain before the place looked at.
  Status check_forms(const Pattern& pattern, const std::string& where,
                     std::vector<std::size_t>& drawn) const {
    for (const Piece& piece : pattern) {
      if (piece.kind == Piece::Kind::kSlot) drawn.push_back(piece.slot);
      if (piece.kind == Piece::Kind::kForm) {
        Status status = check_form(piece, where, drawn);
        if (!status.ok()) return status;
      }
      for (const Pattern& option : piece.options) {
        std::vector<std::size_t> inside = drawn;
        Status status = check_forms(option, where, inside);
        if (!status.ok()) return status;
      }
    }
    return success();
  }

  Status check_form(const Piece& piece, const std::string& where,
                    const std::vector<std::size_t>& drawn) const {
    if (std::find(drawn.begin(), drawn.end(), piece.slot) == drawn.end()) {
      return Failure{fmt::format("{}: {{{}.{}}} with no {{{}}} before it in the sentence", where,
                                 piece.text, piece.attribute, piece.text)};
    }
    const std::vector<std::string>& forms = forms_[piece.slot];
    if (std::find(forms.begin(), forms.end(), piece.attribute) == forms.end()) {
      return Failure{fmt::format(
          "{}: {{{}.{}}}, but not every entry of that slot has a form \"{}\" (see {})", where,
          piece.text, piece.attribute, piece.attribute, grammar_.slots[piece.slot].where)};
    }
    return success();
  }

  const SenseGrammar& grammar_;
  std::vector<State> state_;
  std::vector<std::size_t> longest_;
  std::vector<std::vector<std::string>> forms_;
  int depth_ = 0;
};

Status check_word(const SenseWord& word, ExpansionChecker& checker) {
  for (const Sense& sense : word.senses) {
    for (const auto* frames : {&sense.before, &sense.after, &sense.lead}) {
      Status status = checker.check_frames(*frames);
      if (!status.ok()) return status;
    }
  }
  return success();
}

}  // namespace

const std::size_t* Scope::find(const std::string& name) const {
  const auto found = slots.find(name);
  if (found != slots.end()) return &found->second;
  return outer != nullptr ? outer->find(name) : nullptr;
}

Status declare_slots(Block& block, SenseGrammar& grammar, Scope& scope) {
  for (Slot& slot : block.slots) {
    if (slot.entries.empty()) {
      return Failure{fmt::format("{}: slot \"{}\" is empty; expected \"slot {}: one | other\"",
                                 slot.where, slot.name, slot.name)};
    }
    const auto [known, is_new] = scope.slots.emplace(slot.name, grammar.slots.size());
    if (!is_new) {
      return Failure{fmt::format("{}: slot \"{}\" is defined twice; the other is at {}", slot.where,
                                 slot.name, grammar.slots[known->second].where)};
    }
    grammar.slots.push_back(std::move(slot));
  }
  return success();
}

Status look_up(Pattern& pattern, const Scope& scope, const std::string& where) {
  for (Piece& piece : pattern) {
    if (piece.kind == Piece::Kind::kSlot || piece.kind == Piece::Kind::kForm) {
      const std::size_t* slot = scope.find(piece.text);
      if (slot == nullptr) {
        return Failure{fmt::format(
            "{}: no slot \"{}\"; expected \"slot {}: ...\" in this sense, its word or the common "
            "lists",
            where, piece.text, piece.text)};
      }
      piece.slot = *slot;
    }
    for (Pattern& option : piece.options) {
      Status status = look_up(option, scope, where);
      if (!status.ok()) return status;
    }
  }
  return success();
}

Status check_expansions(const SenseGrammar& grammar) {
  ExpansionChecker checker(grammar);
  Status status = checker.check_slots();
  for (const SenseWord& word : grammar.words) {
    if (status.ok()) status = check_word(word, checker);
  }
  for (const EverydayTopic& topic : grammar.topics) {
    if (status.ok()) status = checker.check_frames(topic.sentences);
  }
  return status;
}

}  // namespace limelight
