#include "training/senses/sense_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/printable.h"
#include "training/senses/sense_lookup.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = std::size_t{1} << 20;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool has_form(const SenseWord& word, std::string_view form) {
  return std::find(word.forms.begin(), word.forms.end(), lower(form)) != word.forms.end();
}

std::size_t count_marks(const Pattern& pattern) {
  std::size_t marks = 0;
  for (const Piece& piece : pattern) {
    if (piece.kind == Piece::Kind::kMark) ++marks;
    // A mark inside a choice may or may not come out, so it never counts as exactly one.
    for (const Pattern& option : piece.options) marks += 2 * count_marks(option);
  }
  return marks;
}

const Piece* find_mark(const Pattern& pattern) {
  for (const Piece& piece : pattern) {
    if (piece.kind == Piece::Kind::kMark) return &piece;
  }
  return nullptr;
}

/// Puts the blocks of all files together. Blocks are added in three rounds, because a file may use
/// what another one defines: common slots, then shells, then words and topics.
class GrammarBuilder {
 public:
  Result<SenseGrammar> build(std::vector<Block> blocks) {
    for (const Block::Kind kind : {Block::Kind::kCommon, Block::Kind::kShells}) {
      for (Block& block : blocks) {
        Status status = block.kind == kind ? add_shared(block) : success();
        if (!status.ok()) return status.failure();
      }
    }
    Status status = look_up_slots(0, common_);
    if (!status.ok()) return status.failure();
    for (std::size_t i = 0; i < blocks.size() && status.ok(); ++i) {
      if (blocks[i].kind == Block::Kind::kTopic) status = add_topic(blocks[i]);
      if (blocks[i].kind == Block::Kind::kWord) status = add_word(blocks, i);
    }
    if (status.ok()) status = check_expansions(grammar_);
    if (!status.ok()) return status.failure();
    if (grammar_.words.empty())
      return Failure{"no word in the grammar; expected a \"word\" heading"};
    return std::move(grammar_);
  }

 private:
  Status add_shared(Block& block) {
    if (block.kind == Block::Kind::kCommon) return declare_slots(block, grammar_, common_);
    if (!block.slots.empty()) {
      return Failure{fmt::format("{}: a slot among shells; expected it in the common lists",
                                 block.slots.front().where)};
    }
    if (!shells_.emplace(block.name, block).second) {
      return Failure{
          fmt::format("{}: the shells \"{}\" are defined twice", block.where, block.name)};
    }
    return success();
  }

  Status add_topic(Block& block) {
    Scope scope{{}, &common_};
    const std::size_t first = grammar_.slots.size();
    Status status = declare_slots(block, grammar_, scope);
    if (status.ok()) status = look_up_slots(first, scope);
    if (!status.ok()) return status;
    EverydayTopic topic{block.name, {}};
    status = add_frames(block.sentences, scope, nullptr, topic.sentences);
    if (status.ok() && topic.sentences.empty()) {
      return Failure{fmt::format("{}: the topic \"{}\" has no sentence", block.where, block.name)};
    }
    grammar_.topics.push_back(std::move(topic));
    return status;
  }

  /// The word at blocks[at] and the senses that follow it.
  Status add_word(std::vector<Block>& blocks, std::size_t at) {
    Block& block = blocks[at];
    for (const SenseWord& known : grammar_.words) {
      if (known.word == block.name) {
        return Failure{
            fmt::format("{}: the word \"{}\" is defined twice", block.where, block.name)};
      }
    }
    SenseWord word{block.name, block.forms, {}};
    Scope scope{{}, &common_};
    const std::size_t first = grammar_.slots.size();
    Status status = declare_slots(block, grammar_, scope);
    if (status.ok()) status = look_up_slots(first, scope);
    for (++at; status.ok() && at < blocks.size() && blocks[at].kind == Block::Kind::kSense; ++at) {
      status = add_sense(blocks[at], block, scope, word);
    }
    if (status.ok() && word.senses.size() < 2) {
      return Failure{fmt::format("{}: \"{}\" has {} sense(s); expected two or more", block.where,
                                 word.word, word.senses.size())};
    }
    grammar_.words.push_back(std::move(word));
    return status;
  }

  Status add_sense(Block& block, const Block& shared, const Scope& outer, SenseWord& word) {
    for (const Sense& known : word.senses) {
      if (known.name == block.name) {
        return Failure{
            fmt::format("{}: the sense \"{}\" is defined twice", block.where, block.name)};
      }
    }
    Sense sense;
    sense.name = block.name;
    sense.gloss = block.gloss;
    Scope scope{{}, &outer};
    const std::size_t first = grammar_.slots.size();
    Status status = declare_slots(block, grammar_, scope);
    if (status.ok()) status = look_up_slots(first, scope);
    if (status.ok()) status = add_sections(block, scope, word, sense);
    if (status.ok()) status = add_sections(shared, scope, word, sense);
    for (const std::string& name : block.uses) {
      if (status.ok()) status = add_shells(name, block, scope, word, sense);
    }
    if (!status.ok()) return status;
    word.senses.push_back(std::move(sense));
    return check_trainable(word.senses.back(), block.where);
  }

  Status add_shells(const std::string& name, const Block& user, const Scope& scope,
                    const SenseWord& word, Sense& sense) {
    const auto shells = shells_.find(name);
    if (shells == shells_.end()) {
      return Failure{fmt::format("{}: sense \"{}\" uses shells \"{}\", which nothing defines",
                                 user.where, user.name, printable(name, 40))};
    }
    Status status = add_sections(shells->second, scope, word, sense);
    if (status.ok()) return status;
    return Failure{
        fmt::format("{} (used by sense \"{}\" at {})", status.message(), user.name, user.where)};
  }

  Status add_sections(const Block& block, const Scope& scope, const SenseWord& word, Sense& sense) {
    Status status = add_frames(block.before, scope, &word, sense.before);
    if (status.ok()) status = add_frames(block.after, scope, &word, sense.after);
    if (status.ok()) status = add_frames(block.lead, scope, nullptr, sense.lead);
    return status;
  }

  /// Copies the frames with their slots looked up. `word` is the word they mark; null where a mark
  /// and a held-out frame have no meaning.
  Status add_frames(const std::vector<Frame>& frames, const Scope& scope, const SenseWord* word,
                    std::vector<Frame>& into) {
    for (Frame frame : frames) {
      Status status = look_up(frame.pattern, scope, frame.where);
      if (status.ok()) status = word != nullptr ? check_marked(frame, *word) : check_plain(frame);
      if (!status.ok()) return status;
      into.push_back(std::move(frame));
    }
    return success();
  }

  static Status check_marked(Frame& frame, const SenseWord& word) {
    const std::size_t marks = count_marks(frame.pattern);
    if (marks != 1) {
      return Failure{
          fmt::format("{}: expected exactly one [{}] outside all braces", frame.where, word.word)};
    }
    for (Piece& piece : frame.pattern) {
      if (piece.kind == Piece::Kind::kMark && piece.text == "*") piece.text = word.word;
    }
    const Piece* mark = find_mark(frame.pattern);
    if (!has_form(word, mark->text)) {
      return Failure{fmt::format("{}: [{}] is no form of \"{}\"; expected one of: {}", frame.where,
                                 printable(mark->text, 40), word.word, fmt::join(word.forms, " "))};
    }
    return success();
  }

  static Status check_plain(const Frame& frame) {
    if (count_marks(frame.pattern) > 0) {
      return Failure{frame.where + ": a mark [..] where none belongs; expected plain sentences"};
    }
    if (frame.held_out) {
      return Failure{frame.where + ": held out (?), but only before: and after: hold frames out"};
    }
    return success();
  }

  static Status check_trainable(const Sense& sense, const std::string& where) {
    for (const auto* frames : {&sense.before, &sense.after}) {
      const bool some = std::any_of(frames->begin(), frames->end(),
                                    [](const Frame& frame) { return !frame.held_out; });
      if (some) continue;
      return Failure{fmt::format("{}: sense \"{}\" has no frame to train on under \"{}:\"", where,
                                 sense.name, frames == &sense.before ? "before" : "after")};
    }
    return success();
  }

  /// Looks up what the entries of the slots from `first` on draw from.
  Status look_up_slots(std::size_t first, const Scope& scope) {
    for (std::size_t i = first; i < grammar_.slots.size(); ++i) {
      Slot& slot = grammar_.slots[i];
      for (SlotEntry& entry : slot.entries) {
        Status status = look_up(entry.pattern, scope, slot.where);
        if (status.ok() && count_marks(entry.pattern) > 0) {
          return Failure{slot.where + ": a mark [..] in a slot; expected it in a frame"};
        }
        if (!status.ok()) return status;
      }
    }
    return success();
  }

  SenseGrammar grammar_;
  Scope common_;
  std::map<std::string, Block> shells_;
};

/// The .txt files of the folder and the folders in it, in the order of their names.
Result<std::vector<fs::path>> list_grammar_files(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (entries->path().extension() == ".txt") paths.push_back(entries->path());
  }
  if (error) {
    return Failure{fmt::format("cannot read the sense grammar's folder {}: {}",
                               printable_path(folder), error.message())};
  }
  if (paths.empty()) {
    return Failure{fmt::format("no .txt file in {}; expected the files of a sense grammar",
                               printable_path(folder))};
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

const SenseWord* SenseGrammar::find(std::string_view form) const {
  for (const SenseWord& word : words) {
    if (has_form(word, form)) return &word;
  }
  return nullptr;
}

std::vector<std::string> SenseGrammar::all_forms() const {
  std::vector<std::string> forms;
  for (const SenseWord& word : words) {
    forms.insert(forms.end(), word.forms.begin(), word.forms.end());
  }
  return forms;
}

Result<SenseGrammar> parse_sense_grammar(std::span<const SenseSource> sources) {
  std::vector<Block> blocks;
  for (const SenseSource& source : sources) {
    Result<std::vector<Block>> read = read_sense_file(source.text, source.name);
    if (!read.ok()) return read.failure();
    blocks.insert(blocks.end(), std::make_move_iterator(read->begin()),
                  std::make_move_iterator(read->end()));
  }
  return GrammarBuilder().build(std::move(blocks));
}

Result<SenseGrammar> load_sense_grammar(const fs::path& folder) {
  Result<std::vector<fs::path>> paths = list_grammar_files(folder);
  if (!paths.ok()) return paths.failure();
  std::vector<SenseSource> sources;
  for (const fs::path& path : *paths) {
    Result<std::string> text = read_whole_file(path, kLargestFile);
    if (!text.ok()) return text.failure();
    sources.push_back({path.lexically_relative(folder).generic_string(), std::move(*text)});
  }
  return parse_sense_grammar(sources);
}

}  // namespace limelight
