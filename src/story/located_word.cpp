#include "story/located_word.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "base/utf8.h"

namespace limelight {
namespace {

constexpr std::size_t kWordsNamed = 200;  // bytes of them in a message

Status check_text(const std::string& text, const std::string& what) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Failure{what + " is empty: give a sentence, such as \"The lamp gave a warm light\""};
  }
  if (const auto bad = find_invalid_utf8(text)) {
    return Failure{fmt::format(
        "{} is not valid UTF-8: byte {} (0x{:02x}) begins no character; save it as UTF-8", what,
        *bad, static_cast<unsigned char>(text[*bad]))};
  }
  return success();
}

Failure not_in_text(const std::string& text, const std::string& word, const std::string& what) {
  std::string words;
  for (const WordSpan span : words_of(text)) {
    if (words.size() > kWordsNamed) {
      words += " ...";
      break;
    }
    words += (words.empty() ? "" : " ") + text.substr(span.begin, span.end - span.begin);
  }
  return {
      fmt::format("the word \"{}\" is not in {}; its words are: {}", printable(word), what, words)};
}

Status check_range(const char* what, std::optional<std::int64_t> index, std::int64_t count) {
  if (!index || (*index >= 0 && *index < count)) return success();
  return Failure{fmt::format("{} {} does not exist: this model has {} {}s, numbered 0 to {}", what,
                             *index, count, what, count - 1)};
}

}  // namespace

Status check_layer_and_head(const TransformerConfig& config, std::optional<std::int64_t> layer,
                            std::optional<std::int64_t> head) {
  if (Status sound = check_range("layer", layer, config.num_layers); !sound) return sound;
  return check_range("head", head, config.num_heads);
}

TokenSpan tokens_of(std::span<const std::string> token_texts, WordSpan span) {
  TokenSpan range{-1, 0};
  std::size_t begin = 0;
  for (std::size_t t = 0; t < token_texts.size(); ++t) {
    const std::size_t end = begin + token_texts[t].size();
    if (end > span.begin && begin < span.end) {
      if (range.first < 0) range.first = static_cast<std::int64_t>(t);
      range.last = static_cast<std::int64_t>(t);
    }
    begin = end;
  }
  return range;
}

Result<LocatedWord> locate_word(const LoadedModel& model, const std::string& text,
                                const std::optional<std::string>& word,
                                std::span<const std::string> ambiguous, const std::string& what) {
  if (Status sound = check_text(text, what); !sound) return sound.failure();
  LocatedWord out;
  WordSpan span = {0, text.size()};  // of a text of signs alone
  if (word) {
    const auto found = find_word(text, *word);
    if (!found) return not_in_text(text, *word, what);
    span = *found;
  } else if (const auto chosen = choose_word(text, ambiguous)) {
    span = chosen->span;
    out.reason = chosen->reason;
  }
  out.word = text.substr(span.begin, span.end - span.begin);
  out.ids = model.tokenizer.encode(text);
  const std::int64_t window = model.transformer.config().context_length;
  if (std::ssize(out.ids) > window) {
    return Failure{
        fmt::format("{} has {} tokens and the model's context window holds {}: shorten the text",
                    what, out.ids.size(), window)};
  }
  for (const TokenId id : out.ids) out.token_texts.emplace_back(model.tokenizer.bytes_of(id));
  const TokenSpan range = tokens_of(out.token_texts, span);
  out.first_token = range.first;
  out.token = range.last;
  return out;
}

}  // namespace limelight
