#include "training/senses/sense_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/printable.h"

namespace limelight {
namespace {

constexpr std::uint32_t kLargestWeight = 1000;
constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text = trim(text.substr(prefix.size()));
  return true;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const std::size_t end = std::min(text.find_first_of(kBlank), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

/// Splits at the '|' that stand outside all braces.
std::vector<std::string_view> split_entries(std::string_view text) {
  std::vector<std::string_view> entries;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}') --depth;
    if (text[i] != '|' || depth != 0) continue;
    entries.push_back(trim(text.substr(start, i - start)));
    start = i + 1;
  }
  entries.push_back(trim(text.substr(start)));
  return entries;
}

/// "they=she their=her" as a map.
Result<Attributes> parse_attributes(std::string_view text) {
  Attributes attributes;
  for (const std::string& word : split_words(text)) {
    const std::size_t equals = word.find('=');
    const std::string_view name = std::string_view(word).substr(0, equals);
    if (equals == std::string::npos || !is_slot_name(name) || equals + 1 == word.size() ||
        word.size() - equals - 1 > kLongestForm) {
      return Failure{fmt::format("the form \"{}\"; expected name=word, as in (they=she their=her)",
                                 printable(word, 40))};
    }
    attributes[std::string(name)] = word.substr(equals + 1);
  }
  return attributes;
}

/// Takes a trailing "(they=she ...)" off `text`; parentheses without '=' are left as words.
Result<Attributes> take_attributes(std::string_view& text) {
  const std::size_t open = text.rfind('(');
  if (!text.ends_with(')') || open == std::string_view::npos) return Attributes{};
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  if (inside.find('=') == std::string_view::npos) return Attributes{};
  text = trim(text.substr(0, open));
  return parse_attributes(inside);
}

/// Takes a trailing " *3" off `text`; 1 where there is none.
Result<std::uint32_t> take_weight(std::string_view& text) {
  const std::size_t star = text.rfind(" *");
  if (star == std::string_view::npos) return std::uint32_t{1};
  const std::string_view digits = text.substr(star + 2);
  std::uint32_t weight = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (error != std::errc() || end != digits.data() + digits.size() || weight == 0 ||
      weight > kLargestWeight) {
    return Failure{fmt::format("the weight \"*{}\"; expected a whole number from 1 to {}",
                               printable(digits, 20), kLargestWeight)};
  }
  text = trim(text.substr(0, star));
  return weight;
}

/// Reads line by line into the block that was opened last.
class FileReader {
 public:
  explicit FileReader(std::string_view name) : name_(name) {}

  Result<std::vector<Block>> read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      ++line_;
      const Status status = read_line(text.substr(0, end));
      if (!status.ok()) return Failure{where() + ": " + status.message()};
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(blocks_);
  }

 private:
  Status read_line(std::string_view whole) {
    if (printable(whole, whole.size() * 4 + 4) != whole) {
      return Failure{
          fmt::format("\"{}\" has control characters or is not UTF-8; expected plain text",
                      printable(whole, 60))};
    }
    std::string_view line = trim(whole);
    if (line.empty() || line.starts_with('#')) return success();
    if (line.starts_with('|')) return more_entries(line.substr(1));
    last_slot_ = nullptr;
    if (line == "common") return open(Block::Kind::kCommon, "common");
    if (take_prefix(line, "word ")) return open_word(line);
    if (take_prefix(line, "sense ")) return open_sense(line);
    if (take_prefix(line, "shells ")) return open_named(Block::Kind::kShells, line);
    if (take_prefix(line, "topic ")) return open_named(Block::Kind::kTopic, line);
    if (blocks_.empty()) {
      return Failure{fmt::format(
          "\"{}\" before any heading; expected a line \"common\", \"word NAME: forms\", "
          "\"shells NAME\" or \"topic NAME\" first",
          printable(line, 40))};
    }
    if (take_prefix(line, "slot ")) return open_slot(line);
    if (take_prefix(line, "use ")) return use_shells(line);
    if (line == "before:" || line == "after:" || line == "lead:" || line == "text:") {
      return open_section(line);
    }
    return add_frame(line);
  }

  Status open(Block::Kind kind, std::string_view name) {
    Block block;
    block.kind = kind;
    block.name = name;
    block.where = where();
    blocks_.push_back(std::move(block));
    section_ = nullptr;
    return success();
  }

  Status open_named(Block::Kind kind, std::string_view name) {
    if (!is_slot_name(name)) {
      return Failure{
          fmt::format("the name \"{}\"; expected lower-case letters", printable(name, 40))};
    }
    return open(kind, name);
  }

  Status open_word(std::string_view line) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = trim(line.substr(0, colon));
    Status opened = open_named(Block::Kind::kWord, name);
    if (!opened.ok()) return opened;
    std::vector<std::string>& forms = blocks_.back().forms;
    forms.emplace_back(name);
    if (colon == line.size()) return opened;
    for (std::string& form : split_words(line.substr(colon + 1))) forms.push_back(std::move(form));
    return opened;
  }

  Status open_sense(std::string_view line) {
    if (blocks_.empty() ||
        (blocks_.back().kind != Block::Kind::kWord && blocks_.back().kind != Block::Kind::kSense)) {
      return Failure{"a sense outside a word; expected \"word NAME: forms\" before it"};
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(colon + 1)).empty()) {
      return Failure{"a sense without its meaning; expected \"sense NAME: what it means\""};
    }
    Status opened = open_named(Block::Kind::kSense, trim(line.substr(0, colon)));
    if (opened.ok()) blocks_.back().gloss = trim(line.substr(colon + 1));
    return opened;
  }

  Status use_shells(std::string_view line) {
    if (blocks_.back().kind != Block::Kind::kSense) {
      return Failure{"\"use\" outside a sense; expected it under \"sense NAME: meaning\""};
    }
    for (std::string& name : split_words(line)) blocks_.back().uses.push_back(std::move(name));
    return success();
  }

  Status open_section(std::string_view line) {
    Block& block = blocks_.back();
    const bool topic = block.kind == Block::Kind::kTopic;
    if (block.kind == Block::Kind::kCommon || topic != (line == "text:")) {
      return Failure{fmt::format(
          "\"{}\" does not belong here; a topic has \"text:\", words, senses and shells have "
          "\"before:\", \"after:\" and \"lead:\"",
          line)};
    }
    section_ = topic               ? &Block::sentences
               : line == "before:" ? &Block::before
               : line == "after:"  ? &Block::after
                                   : &Block::lead;
    return success();
  }

  Status open_slot(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return Failure{"a slot without its list; expected \"slot NAME: one | other\""};
    }
    std::string_view name = trim(line.substr(0, colon));
    Result<Attributes> attributes = take_attributes(name);
    if (!attributes.ok()) return attributes.failure();
    if (!is_slot_name(name)) {
      return Failure{fmt::format("the slot name \"{}\"; expected lower-case letters, digits and _",
                                 printable(name, 40))};
    }
    Slot slot;
    slot.name = name;
    slot.where = where();
    blocks_.back().slots.push_back(std::move(slot));
    slot_attributes_ = std::move(*attributes);
    last_slot_ = &blocks_.back().slots.back();
    const std::string_view entries = trim(line.substr(colon + 1));
    return entries.empty() ? success() : more_entries(entries);  // they may follow, each after a |
  }

  Status more_entries(std::string_view text) {
    if (last_slot_ == nullptr) {
      return Failure{
          "a line that starts with '|' but continues no slot; put it below \"slot ...\""};
    }
    for (std::string_view entry : split_entries(text)) {
      Status added = add_entry(entry);
      if (!added.ok()) return added;
    }
    return success();
  }

  Status add_entry(std::string_view text) {
    SlotEntry entry;
    Result<std::uint32_t> weight = take_weight(text);
    if (!weight.ok()) return weight.failure();
    Result<Attributes> attributes = take_attributes(text);
    if (!attributes.ok()) return attributes.failure();
    if (text.empty()) {
      return Failure{fmt::format("an empty entry in slot \"{}\"; expected words between the |",
                                 last_slot_->name)};
    }
    Result<Pattern> pattern = parse_pattern(text);
    if (!pattern.ok()) return pattern.failure();
    entry.weight = *weight;
    entry.attributes = std::move(*attributes);
    entry.attributes.insert(slot_attributes_.begin(), slot_attributes_.end());
    entry.pattern = std::move(*pattern);
    last_slot_->entries.push_back(std::move(entry));
    return success();
  }

  Status add_frame(std::string_view line) {
    if (section_ == nullptr) {
      return Failure{
          fmt::format("\"{}\" outside a section; expected \"before:\", \"after:\", "
                      "\"lead:\" or \"text:\" above it",
                      printable(line, 40))};
    }
    Frame frame;
    frame.where = where();
    frame.held_out = take_prefix(line, "?");
    Result<Pattern> pattern = parse_pattern(line);
    if (!pattern.ok()) return pattern.failure();
    if (pattern->empty()) return Failure{"a frame without words; expected a sentence after the ?"};
    frame.pattern = std::move(*pattern);
    (blocks_.back().*section_).push_back(std::move(frame));
    return success();
  }

  std::string where() const { return fmt::format("{}:{}", name_, line_); }

  std::string name_;
  std::size_t line_ = 0;
  std::vector<Block> blocks_;
  std::vector<Frame> Block::*section_ = nullptr;
  Slot* last_slot_ = nullptr;  // the slot that a line starting with '|' continues
  Attributes slot_attributes_;
};

}  // namespace

Result<std::vector<Block>> read_sense_file(std::string_view text, std::string_view name) {
  return FileReader(printable(name)).read(text);
}

}  // namespace limelight
