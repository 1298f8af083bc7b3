#include "training/senses/sentence_writer.h"

#include <algorithm>
#include <utility>

namespace limelight {
namespace {

constexpr unsigned kComesBack = 65;   // per cent: a later sentence is about the same person
constexpr unsigned kByPronoun = 70;   // per cent: and begins with "she"
constexpr int kTriesForAnother = 12;  // draws until something already in the sentence is accepted

/// The form by which a slot says that it names someone a paragraph can be about.
const std::string kPronoun = "they";

}  // namespace

FinishedSentence SentenceWriter::write(const Frame& frame) {
  ++sentence_;
  in_sentence_.clear();
  std::string raw;
  write_pattern(frame.pattern, raw);
  return finish_sentence(raw);
}

void SentenceWriter::write_pattern(const Pattern& pattern, std::string& out) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const Piece& piece = pattern[i];
    switch (piece.kind) {
      case Piece::Kind::kText:
        out += piece.text;
        break;
      case Piece::Kind::kMark:
        out += kMarkOpens + piece.text + kMarkCloses;
        break;
      case Piece::Kind::kChoice:
        write_pattern(piece.options[random_.below(piece.options.size())], out);
        break;
      case Piece::Kind::kForm:
        out += drawn_[piece.slot].forms[piece.attribute];
        break;
      case Piece::Kind::kSlot:
        write_slot(piece, i + 1 < pattern.size() && pattern[i + 1].text.starts_with('\''), out);
        break;
    }
  }
}

void SentenceWriter::write_slot(const Piece& piece, bool before_apostrophe, std::string& out) {
  if (repeat_referent(piece.slot, before_apostrophe, out)) return;
  const auto used = [&](const std::string& text) {
    return std::find(in_sentence_.begin(), in_sentence_.end(), text) != in_sentence_.end();
  };
  Drawn drawn = draw(piece.slot);
  for (int tries = 1; tries < kTriesForAnother && used(drawn.text); ++tries) {
    drawn = draw(piece.slot);
  }
  out += drawn.text;
  in_sentence_.push_back(drawn.text);
  drawn_[piece.slot] = std::move(drawn);
}

/// Lets whoever the sentence before was about come back, if chance will have it.
bool SentenceWriter::repeat_referent(std::size_t slot, bool before_apostrophe, std::string& out) {
  const auto last = drawn_.find(slot);
  if (last == drawn_.end() || last->second.sentence + 1 != sentence_) return false;
  const auto pronoun = last->second.forms.find(kPronoun);
  if (pronoun == last->second.forms.end() || !random_.chance(kComesBack)) return false;
  last->second.sentence = sentence_;
  in_sentence_.push_back(last->second.text);
  const bool by_pronoun = out.empty() && !before_apostrophe && random_.chance(kByPronoun);
  out += by_pronoun ? pronoun->second : last->second.text;
  return true;
}

SentenceWriter::Drawn SentenceWriter::draw(std::size_t slot) {
  const SlotEntry& entry = pick(grammar_.slots[slot]);
  Drawn drawn;
  drawn.sentence = sentence_;
  drawn.forms = entry.attributes;
  for (const Piece& piece : entry.pattern) {
    if (piece.kind != Piece::Kind::kSlot) {
      write_pattern({piece}, drawn.text);
      continue;
    }
    Drawn inside = draw(piece.slot);
    drawn.text += inside.text;
    drawn.forms.insert(inside.forms.begin(), inside.forms.end());
    drawn_[piece.slot] = std::move(inside);
  }
  return drawn;
}

const SlotEntry& SentenceWriter::pick(const Slot& slot) {
  std::uint64_t total = 0;
  for (const SlotEntry& entry : slot.entries) total += entry.weight;
  std::uint64_t at = random_.below(total);
  for (const SlotEntry& entry : slot.entries) {
    if (at < entry.weight) return entry;
    at -= entry.weight;
  }
  return slot.entries.back();
}

}  // namespace limelight
