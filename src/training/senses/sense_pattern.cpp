#include "training/senses/sense_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace limelight {
namespace {

constexpr int kDeepestNesting = 8;
constexpr std::string_view kSpecial = "{}[]|";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

Piece text_piece(std::string_view text) {
  Piece piece;
  piece.text = text;
  return piece;
}

/// A recursive descent over the line. `at_` is always the next unread byte.
class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Result<Pattern> parse() {
    Result<Pattern> pattern = sequence(0);
    if (pattern.ok() && at_ < text_.size()) {
      return wrong(fmt::format("'{}' where no brace is open; write words and {{slots}}", peek()));
    }
    return pattern;
  }

 private:
  /// Pieces up to the end of the line or an unmatched | or } (which the caller judges).
  Result<Pattern> sequence(int depth) {
    Pattern pattern;
    while (at_ < text_.size() && peek() != '|' && peek() != '}') {
      if (peek() == ']') return wrong("']' without a '[' before it");
      Result<Piece> piece = peek() == '{' ? braces(depth) : peek() == '[' ? mark() : plain();
      if (!piece.ok()) return piece.failure();
      pattern.push_back(std::move(*piece));
    }
    return pattern;
  }

  Result<Piece> plain() {
    const std::size_t end = std::min(text_.find_first_of(kSpecial, at_), text_.size());
    return text_piece(take_until(end));
  }

  Result<Piece> mark() {
    const std::size_t end = text_.find_first_of(kSpecial, at_ + 1);
    if (end == std::string_view::npos || text_[end] != ']') {
      return wrong("a '[' that is not closed; mark the ambiguous word as [word]");
    }
    ++at_;
    Piece piece = text_piece(take_until(end));
    piece.kind = Piece::Kind::kMark;
    ++at_;
    if (piece.text.empty()) return wrong("an empty mark []; mark the ambiguous word as [word]");
    return piece;
  }

  Result<Piece> braces(int depth) {
    if (depth == kDeepestNesting) {
      return wrong(fmt::format("braces nested more than {} deep; use a slot", kDeepestNesting));
    }
    const std::size_t open = at_++;
    std::vector<Pattern> options;
    while (true) {
      Result<Pattern> option = sequence(depth + 1);
      if (!option.ok()) return option.failure();
      options.push_back(std::move(*option));
      if (at_ == text_.size()) {
        at_ = open;
        return wrong("a '{' that is not closed; write {slot} or {one|other}");
      }
      if (text_[at_++] == '}') break;
    }
    return options.size() == 1 ? reference(open) : choice(std::move(options));
  }

  Result<Piece> choice(std::vector<Pattern> options) {
    Piece piece;
    piece.kind = Piece::Kind::kChoice;
    piece.options = std::move(options);
    return piece;
  }

  /// {name} or {name.attribute}, closed just before at_.
  Result<Piece> reference(std::size_t open) {
    const std::string_view inside = text_.substr(open + 1, at_ - open - 2);
    const std::size_t dot = inside.find('.');
    Piece piece = text_piece(inside.substr(0, dot));
    piece.kind = dot == std::string_view::npos ? Piece::Kind::kSlot : Piece::Kind::kForm;
    if (dot != std::string_view::npos) piece.attribute = inside.substr(dot + 1);
    const bool named = is_slot_name(piece.text) &&
                       (dot == std::string_view::npos || is_slot_name(piece.attribute));
    if (!named) {
      at_ = open;
      return wrong(fmt::format("{{{}}} is neither {{slot}}, {{slot.form}} nor {{one|other}}",
                               printable(inside, 40)));
    }
    return piece;
  }

  std::string_view take_until(std::size_t end) {
    const std::string_view taken = text_.substr(at_, end - at_);
    at_ = end;
    return taken;
  }

  char peek() const { return text_[at_]; }

  Failure wrong(const std::string& what) const {
    return {fmt::format("at character {}: {}", at_ + 1, what)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Pattern> parse_pattern(std::string_view text) { return PatternParser(text).parse(); }

bool is_slot_name(std::string_view text) {
  return !text.empty() && is_lower(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace limelight
