#include <limelight/tokenizer.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/atomic_file.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/piece_splitter.h"
#include "tokenizer/vocabulary.h"

namespace limelight {
namespace {

std::array<std::int32_t, 256> byte_ids_of(const Vocabulary& vocabulary) {
  std::array<std::int32_t, 256> ids{};
  for (std::size_t id = vocabulary.bytes.size(); id-- > 0;) {
    const std::string& bytes = vocabulary.bytes[id];
    if (bytes.size() == 1) ids[static_cast<unsigned char>(bytes[0])] = static_cast<TokenId>(id);
  }
  return ids;
}

/// A stretch of text, up to and without the special token that ends it.
struct Stretch {
  std::string_view text;
  TokenId special = -1;    ///< what follows; -1 at the end of the text
  std::size_t length = 0;  ///< of the stretch and the special token
};

Stretch next_stretch(std::string_view text,
                     const std::vector<std::pair<std::string, TokenId>>& special_tokens) {
  Stretch stretch{text, -1, text.size()};
  for (const auto& [name, id] : special_tokens) {
    const std::size_t at = text.find(name);
    // Of two at the same place the longer one is meant.
    const std::size_t best = stretch.text.size();
    if (at == std::string_view::npos || at > best) continue;
    if (at == best && stretch.special >= 0 && at + name.size() <= stretch.length) continue;
    stretch = {text.substr(0, at), id, at + name.size()};
  }
  return stretch;
}

}  // namespace

struct Tokenizer::State {
  explicit State(Vocabulary from)
      : vocabulary(std::move(from)),
        splitter(kGpt2Pattern),
        encoder(byte_ids_of(vocabulary), vocabulary.merges) {}

  Vocabulary vocabulary;
  PieceSplitter splitter;
  BpeEncoder encoder;
};

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::train(std::string_view text, const TrainingOptions& options) {
  const int merges_wanted =
      options.vocab_size - 256 - static_cast<int>(options.special_tokens.size());
  if (merges_wanted < 0) {
    return Failure{
        "vocab_size: expected at least " + std::to_string(256 + options.special_tokens.size()) +
        " (256 bytes and the special tokens), got " + std::to_string(options.vocab_size)};
  }
  Vocabulary vocabulary;
  for (const std::string& name : options.special_tokens) {
    vocabulary.special_tokens.emplace_back(name, -1);
  }
  std::vector<std::string_view> stretches;
  while (!text.empty()) {
    const Stretch stretch = next_stretch(text, vocabulary.special_tokens);
    stretches.push_back(stretch.text);
    text.remove_prefix(stretch.length);
  }
  vocabulary.merges =
      learn_merges(stretches, PieceSplitter(kGpt2Pattern), merges_wanted, options.progress);
  for (int byte = 0; byte < 256; ++byte) vocabulary.bytes.emplace_back(1, static_cast<char>(byte));
  for (const BpeEncoder::Merge& merge : vocabulary.merges) {
    vocabulary.bytes.push_back(vocabulary.bytes[static_cast<std::size_t>(merge.left)] +
                               vocabulary.bytes[static_cast<std::size_t>(merge.right)]);
  }
  for (auto& [name, id] : vocabulary.special_tokens) {
    id = static_cast<TokenId>(vocabulary.bytes.size());
    vocabulary.bytes.push_back(name);
  }
  return Tokenizer(std::make_unique<State>(std::move(vocabulary)));
}

Result<Tokenizer> Tokenizer::from_file(const std::filesystem::path& tokenizer_json_path) {
  auto text = read_whole_file(tokenizer_json_path);
  if (!text) return text.failure();
  auto vocabulary = parse_tokenizer_json(*text, tokenizer_json_path.string());
  if (!vocabulary) return vocabulary.failure();
  return Tokenizer(std::make_unique<State>(std::move(*vocabulary)));
}

Result<Tokenizer> Tokenizer::from_json(std::string_view json) {
  auto vocabulary = parse_tokenizer_json(json, "tokenizer.json");
  if (!vocabulary) return vocabulary.failure();
  return Tokenizer(std::make_unique<State>(std::move(*vocabulary)));
}

Result<Tokenizer> Tokenizer::from_vocab_and_merges(std::string_view vocab_json,
                                                   std::string_view merges_txt) {
  auto vocabulary = parse_vocab_and_merges(vocab_json, merges_txt);
  if (!vocabulary) return vocabulary.failure();
  return Tokenizer(std::make_unique<State>(std::move(*vocabulary)));
}

std::string Tokenizer::to_json() const { return tokenizer_json(state_->vocabulary); }

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  static const std::vector<std::pair<std::string, TokenId>> kNone;
  std::vector<TokenId> ids;
  // Words come again and again: where in `ids` each was first written.
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen;
  const auto encode_piece = [&](std::string_view piece) {
    const auto [found, is_new] = seen.try_emplace(piece, ids.size(), 0);
    auto& [begin, count] = found->second;
    if (is_new) {
      state_->encoder.encode_piece(piece, ids);
      count = ids.size() - begin;
    } else {
      const std::size_t end = ids.size();
      ids.resize(end + count);
      std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(begin), count,
                  ids.begin() + static_cast<std::ptrdiff_t>(end));
    }
  };
  while (!text.empty()) {
    const Stretch stretch =
        next_stretch(text, parse_special ? state_->vocabulary.special_tokens : kNone);
    state_->splitter.split(stretch.text, encode_piece);
    if (stretch.special >= 0) ids.push_back(stretch.special);
    text.remove_prefix(stretch.length);
  }
  return ids;
}

std::string_view Tokenizer::bytes_of(TokenId id) const {
  if (id < 0 || id >= vocab_size()) {
    throw Error("id: expected a token id from 0 to " + std::to_string(vocab_size() - 1) + ", got " +
                std::to_string(id));
  }
  return state_->vocabulary.bytes[static_cast<std::size_t>(id)];
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string bytes;
  for (const TokenId id : ids) bytes += bytes_of(id);
  return bytes;
}

int Tokenizer::vocab_size() const { return static_cast<int>(state_->vocabulary.bytes.size()); }

TokenId Tokenizer::special_token(std::string_view name) const {
  for (const auto& [content, id] : state_->vocabulary.special_tokens) {
    if (content == name) return id;
  }
  return -1;
}

std::vector<std::pair<TokenId, TokenId>> Tokenizer::merges() const {
  std::vector<std::pair<TokenId, TokenId>> pairs;
  for (const BpeEncoder::Merge& merge : state_->vocabulary.merges) {
    pairs.emplace_back(merge.left, merge.right);
  }
  return pairs;
}

}  // namespace limelight
