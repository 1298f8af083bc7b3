#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/json.h"
#include "base/printable.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary.h"

namespace limelight {
namespace {

using Json = nlohmann::json;
using TokenIds = std::unordered_map<std::string, TokenId>;  ///< by the text in the file

/// Builds a Vocabulary from what a file says, checking each step; the first thing wrong is kept.
class VocabularyReader {
 public:
  explicit VocabularyReader(std::string_view name) : name_(name) {}

  /// "added_tokens": before read_vocab, since their texts are not in the byte alphabet.
  void read_added_tokens(const Json& added) {
    if (added.is_null()) return;
    if (!added.is_array()) return fail("added_tokens: expected an array");
    for (const Json& token : added) {
      const bool sound = token.is_object() && token.contains("content") &&
                         token["content"].is_string() && token.contains("id") &&
                         token["id"].is_number_integer();
      if (!sound) return fail("added_tokens: expected objects with \"id\" and \"content\"");
      const auto content = token["content"].get<std::string>();
      if (content.empty()) return fail("added_tokens: expected a content, found an empty one");
      const auto id = read_id(token["id"], content);
      if (!id) return;
      out_.special_tokens.emplace_back(content, *id);
    }
  }

  void read_vocab(const Json& vocab) {
    if (!wrong_.empty()) return;
    if (!vocab.is_object() || vocab.empty())
      return fail("vocab: expected an object of token to id");
    for (const auto& [text, value] : vocab.items()) {
      const auto id = read_id(value, text);
      if (!id) return;
      ids_.emplace(text, *id);
    }
    for (const auto& [content, id] : out_.special_tokens) {
      const auto [found, added] = ids_.emplace(content, id);
      if (!added && found->second != id) {
        return fail(fmt::format("the added token {} has the ids {} and {}", printable(content), id,
                                found->second));
      }
    }
    place_tokens();
  }

  void read_merge(std::string_view left, std::string_view right) {
    if (!wrong_.empty()) return;
    const auto id_of = [&](const std::string& text) {
      const auto found = ids_.find(text);
      return found == ids_.end() ? -1 : found->second;
    };
    const std::string left_text(left);
    const std::string right_text(right);
    const TokenId l = id_of(left_text);
    const TokenId r = id_of(right_text);
    const TokenId merged = id_of(left_text + right_text);
    if (l < 0 || r < 0 || merged < 0) {
      return fail(
          fmt::format("merge {}: \"{}\" + \"{}\": expected both and their union in the vocabulary",
                      out_.merges.size(), printable(left, 40), printable(right, 40)));
    }
    out_.merges.push_back({l, r, merged});
  }

  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = fmt::format("{}: {}", name_, what);
  }
  bool failed() const { return !wrong_.empty(); }

  Result<Vocabulary> finish() {
    std::vector<bool> has_byte(256);
    for (const std::string& bytes : out_.bytes) {
      if (bytes.size() == 1) has_byte[static_cast<unsigned char>(bytes[0])] = true;
    }
    const auto missing = std::find(has_byte.begin(), has_byte.end(), false) - has_byte.begin();
    if (missing < 256) {
      fail(fmt::format("vocab: expected a token for every byte, found none for 0x{:02x}", missing));
    }
    if (!wrong_.empty()) return Failure{wrong_};
    return std::move(out_);
  }

 private:
  std::optional<TokenId> read_id(const Json& value, const std::string& text) {
    constexpr std::int64_t kMostTokens = 1 << 24;
    const bool whole = value.is_number_integer();
    const auto id = whole ? value.get<std::int64_t>() : -1;
    if (id < 0 || id >= kMostTokens) {
      fail(fmt::format("token \"{}\": expected an id from 0 to {}, found {}", printable(text, 40),
                       kMostTokens - 1, printable(value.dump(-1, ' ', true), 40)));
      return std::nullopt;
    }
    return static_cast<TokenId>(id);
  }

  bool is_special(const std::string& text) const {
    return std::any_of(out_.special_tokens.begin(), out_.special_tokens.end(),
                       [&](const auto& token) { return token.first == text; });
  }

  void place_tokens() {
    out_.bytes.resize(ids_.size());
    std::vector<bool> taken(ids_.size());
    for (const auto& [text, id] : ids_) {
      const auto at = static_cast<std::size_t>(id);
      if (at >= ids_.size() || taken[at]) {
        return fail(fmt::format("token \"{}\": expected the ids 0 to {} once each, found {} {}",
                                printable(text, 40), ids_.size() - 1, id,
                                at >= ids_.size() ? "beyond them" : "twice"));
      }
      taken[at] = true;
      if (is_special(text)) {
        out_.bytes[at] = text;
      } else if (auto bytes = from_byte_alphabet(text)) {
        out_.bytes[at] = std::move(*bytes);
      } else {
        return fail(fmt::format("token \"{}\": expected characters of GPT-2's byte alphabet",
                                printable(text, 40)));
      }
    }
  }

  std::string name_;
  std::string wrong_;
  TokenIds ids_;
  Vocabulary out_;
};

std::string type_of(const Json& part) {
  if (part.is_null()) return "none";
  if (!part.is_object()) return "something else";
  const auto type = part.find("type");
  return type != part.end() && type->is_string() ? type->get<std::string>() : "no type";
}

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

/// What is not byte-level BPE with GPT-2's splitting is refused by name.
void check_kind(const Json& json, VocabularyReader& reader) {
  const auto expect = [&](const char* part, const std::string& found, const std::string& expected) {
    if (found != expected) {
      reader.fail(fmt::format("{}: expected {}, found {}; only GPT-2's byte-level BPE is supported",
                              part, expected, printable(found, 40)));
    }
  };
  expect("model", type_of(member(json, "model")), "BPE");
  expect("pre_tokenizer", type_of(member(json, "pre_tokenizer")), "ByteLevel");
  expect("normalizer", type_of(member(json, "normalizer")), "none");
  if (reader.failed()) return;
  const Json& pre = json["pre_tokenizer"];
  const auto flag = [&](const char* key, bool otherwise) {
    const Json& value = member(pre, key);
    return value.is_boolean() ? value.get<bool>() : otherwise;
  };
  if (flag("add_prefix_space", true)) {
    reader.fail("pre_tokenizer: add_prefix_space is not supported; expected false");
  }
  if (!flag("use_regex", true)) reader.fail("pre_tokenizer: expected use_regex true");
}

void read_merges(const Json& merges, VocabularyReader& reader) {
  if (!merges.is_array()) return reader.fail("merges: expected an array");
  for (const Json& merge : merges) {
    if (reader.failed()) return;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      reader.read_merge(merge[0].get_ref<const std::string&>(),
                        merge[1].get_ref<const std::string&>());
      continue;
    }
    const std::string_view text =
        merge.is_string() ? std::string_view(merge.get_ref<const std::string&>()) : "";
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) {
      return reader.fail("merges: expected \"left right\" or [\"left\", \"right\"]");
    }
    reader.read_merge(text.substr(0, blank), text.substr(blank + 1));
  }
}

}  // namespace

Result<Vocabulary> parse_tokenizer_json(std::string_view text, std::string_view name) {
  auto json = parse_json(text, name);
  if (!json) return json.failure();
  VocabularyReader reader(name);
  if (!json->is_object()) reader.fail("expected an object");
  if (!reader.failed()) check_kind(*json, reader);
  if (!reader.failed()) {
    reader.read_added_tokens(member(*json, "added_tokens"));
    reader.read_vocab(member((*json)["model"], "vocab"));
    read_merges(member((*json)["model"], "merges"), reader);
  }
  return reader.finish();
}

Result<Vocabulary> parse_vocab_and_merges(std::string_view vocab_json,
                                          std::string_view merges_txt) {
  auto vocab = parse_json(vocab_json, "vocab.json");
  if (!vocab) return vocab.failure();
  VocabularyReader reader("vocab.json");
  constexpr const char* kEndOfText = "<|endoftext|>";
  if (vocab->is_object() && vocab->contains(kEndOfText)) {
    reader.read_added_tokens({{{"id", (*vocab)[kEndOfText]}, {"content", kEndOfText}}});
  }
  reader.read_vocab(*vocab);
  while (!merges_txt.empty()) {
    const std::size_t end = std::min(merges_txt.find('\n'), merges_txt.size());
    std::string_view line = merges_txt.substr(0, end);
    merges_txt.remove_prefix(std::min(end + 1, merges_txt.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
      reader.fail(
          fmt::format("merges.txt: expected \"left right\", found \"{}\"", printable(line, 40)));
      break;
    }
    reader.read_merge(line.substr(0, blank), line.substr(blank + 1));
  }
  return reader.finish();
}

std::string tokenizer_json(const Vocabulary& vocabulary) {
  using Ordered = nlohmann::ordered_json;
  const auto is_special = [&](TokenId id) {
    return std::any_of(vocabulary.special_tokens.begin(), vocabulary.special_tokens.end(),
                       [&](const auto& token) { return token.second == id; });
  };
  const auto text_of = [&](TokenId id) {
    const std::string& bytes = vocabulary.bytes[static_cast<std::size_t>(id)];
    return is_special(id) ? bytes : to_byte_alphabet(bytes);
  };
  const auto byte_level = [](bool add_prefix_space, bool trim_offsets) {
    return Ordered{{"type", "ByteLevel"},
                   {"add_prefix_space", add_prefix_space},
                   {"trim_offsets", trim_offsets},
                   {"use_regex", true}};
  };
  Ordered added = Ordered::array();
  for (const auto& [content, id] : vocabulary.special_tokens) {
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  Ordered vocab = Ordered::object();
  for (std::size_t id = 0; id < vocabulary.bytes.size(); ++id) {
    // Not by assignment: ordered_json looks a key up by walking all of them.
    vocab.get_ref<Ordered::object_t&>().emplace_back(text_of(static_cast<TokenId>(id)), id);
  }
  Ordered merges = Ordered::array();
  for (const BpeEncoder::Merge& merge : vocabulary.merges) {
    merges.push_back(text_of(merge.left) + " " + text_of(merge.right));
  }
  const Ordered json = {{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens", added},
                        {"normalizer", nullptr},
                        {"pre_tokenizer", byte_level(false, true)},
                        {"post_processor", byte_level(true, false)},
                        {"decoder", byte_level(true, true)},
                        {"model",
                         {{"type", "BPE"},
                          {"dropout", nullptr},
                          {"unk_token", nullptr},
                          {"continuing_subword_prefix", ""},
                          {"end_of_word_suffix", ""},
                          {"fuse_unk", false},
                          {"vocab", vocab},
                          {"merges", merges}}}};
  return json.dump(1) + "\n";
}

}  // namespace limelight
