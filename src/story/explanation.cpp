#include "story/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/utf8.h"
#include "story/word_finder.h"

namespace limelight {
namespace {

struct TokenRange {
  std::int64_t first;
  std::int64_t last;
};

/// A head of a layer, and why it.
struct ChosenHead {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string reason;
};

Status check_text(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Failure{"the text is empty: give a sentence, such as \"The lamp gave a warm light\""};
  }
  if (const auto bad = find_invalid_utf8(text)) {
    return Failure{fmt::format(
        "the text is not valid UTF-8: byte {} (0x{:02x}) begins no character; save it as UTF-8",
        *bad, static_cast<unsigned char>(text[*bad]))};
  }
  return success();
}

Result<WordSpan> locate_word(const ExplanationRequest& request,
                             std::span<const std::string> ambiguous, std::string& reason) {
  if (request.word) {
    if (const auto span = find_word(request.text, *request.word)) return *span;
    std::string words;
    for (const WordSpan span : words_of(request.text)) {
      if (words.size() > 200) {
        words += " ...";
        break;
      }
      words += (words.empty() ? "" : " ") + request.text.substr(span.begin, span.end - span.begin);
    }
    return Failure{
        fmt::format("the word \"{}\" is not in the text; its words are: {}", *request.word, words)};
  }
  if (auto chosen = choose_word(request.text, ambiguous)) {
    reason = chosen->reason;
    return chosen->span;
  }
  return WordSpan{0, request.text.size()};  // no words, only signs: the whole text
}

TokenRange tokens_of(const std::vector<std::string>& texts, WordSpan span) {
  TokenRange range{-1, 0};
  std::size_t begin = 0;
  for (std::size_t t = 0; t < texts.size(); ++t) {
    const std::size_t end = begin + texts[t].size();
    if (end > span.begin && begin < span.end) {
      if (range.first < 0) range.first = static_cast<std::int64_t>(t);
      range.last = static_cast<std::int64_t>(t);
    }
    begin = end;
  }
  return range;
}

Status check_range(const char* what, std::optional<std::int64_t> index, std::int64_t count) {
  if (!index || (*index >= 0 && *index < count)) return success();
  return Failure{fmt::format("{} {} does not exist: this model has {} {}s, numbered 0 to {}", what,
                             *index, count, what, count - 1)};
}

/// Whether a row looks somewhere: its largest weight is neither on the word itself nor on the first
/// token, where heads with nothing to say rest.
bool looks_elsewhere(std::span<const float> row) {
  const auto largest = std::max_element(row.begin(), row.end()) - row.begin();
  return largest != 0 && largest != std::ssize(row) - 1;
}

/// The head whose row for the token has the fewest effective words, among those asked for; heads
/// that look at another word come before heads that rest.
ChosenHead choose_head(const Transformer& model, const Trace& trace,
                       const ExplanationRequest& request, std::int64_t token) {
  ChosenHead best;
  double best_words = std::numeric_limits<double>::infinity();
  bool best_looks = false;
  for (std::int64_t layer = 0; layer < model.config().num_layers; ++layer) {
    if (request.layer && *request.layer != layer) continue;
    for (std::int64_t head = 0; head < model.config().num_heads; ++head) {
      if (request.head && *request.head != head) continue;
      const std::vector<float> row = weights_row(model, trace, layer, head, token);
      const bool looks = looks_elsewhere(row);
      const double words = effective_words(row);
      if ((looks && !best_looks) || (looks == best_looks && words < best_words)) {
        best = {layer, head, ""};
        best_words = words;
        best_looks = looks;
      }
    }
  }
  if (!request.layer || !request.head) {
    best.reason = best_looks ? "its row is the most selective of those that look at another word"
                             : "its row is the most selective";
  }
  return best;
}

std::vector<Guess> guess_next(const Tokenizer& tokenizer, const Matrix& logits, int count) {
  const std::span<const float> row = logits.row(0);
  std::vector<TokenId> order(static_cast<std::size_t>(
      std::min<std::int64_t>(tokenizer.vocab_size(), static_cast<std::int64_t>(row.size()))));
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](TokenId id) { return row[static_cast<std::size_t>(id)]; };
  const auto kept = std::min<std::ptrdiff_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  double sum = 0;
  const double maximum = *std::max_element(row.begin(), row.end());
  for (const double value : row) sum += std::exp(value - maximum);
  std::vector<Guess> guesses;
  for (std::ptrdiff_t i = 0; i < kept; ++i) {
    const TokenId id = order[static_cast<std::size_t>(i)];
    guesses.push_back(
        {id, std::string(tokenizer.bytes_of(id)), std::exp(logit(id) - maximum) / sum});
  }
  return guesses;
}

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (const double value : vector) sum += value * value;
  return std::sqrt(sum);
}

/// What concerns the heads: the one looked at, and its neighbours in the layer.
void gather_heads(const Transformer& model, const ChosenHead& chosen, Explanation& out) {
  for (std::int64_t h = 0; h < model.config().num_heads; ++h) {
    HeadTrace head = trace_head(model, out.trace, chosen.layer, h);
    out.layer_weights.push_back(head.weights);
    out.head_write_lengths.push_back(length_of(head.write.row(out.token)));
    if (h == chosen.head) out.head = std::move(head);
  }
  out.head_reason = chosen.reason;
  out.effective_words = effective_words(
      out.head.weights.row(out.token).first(static_cast<std::size_t>(out.token) + 1));
}

}  // namespace

Result<Explanation> explain(const LoadedModel& model, const ExplanationRequest& request,
                            std::span<const std::string> ambiguous) {
  const TransformerConfig& config = model.transformer.config();
  if (Status sound = check_text(request.text); !sound) return sound.failure();
  if (Status sound = check_range("layer", request.layer, config.num_layers); !sound) {
    return sound.failure();
  }
  if (Status sound = check_range("head", request.head, config.num_heads); !sound) {
    return sound.failure();
  }

  Explanation out;
  out.text = request.text;
  auto span = locate_word(request, ambiguous, out.word_reason);
  if (!span) return span.failure();
  out.word = out.text.substr(span->begin, span->end - span->begin);

  out.ids = model.tokenizer.encode(out.text);
  if (std::ssize(out.ids) > config.context_length) {
    return Failure{fmt::format(
        "the text has {} tokens and the model's context window holds {}: shorten the text",
        out.ids.size(), config.context_length)};
  }
  for (const TokenId id : out.ids) out.token_texts.emplace_back(model.tokenizer.bytes_of(id));
  const TokenRange range = tokens_of(out.token_texts, *span);
  out.first_token = range.first;
  out.token = range.last;

  out.trace = record_trace(model.transformer, out.ids);
  gather_heads(model.transformer, choose_head(model.transformer, out.trace, request, out.token),
               out);
  out.proof = prove(model.transformer, out.trace, out.head);
  out.guesses = guess_next(model.tokenizer, out.trace.logits, request.guesses);
  return out;
}

}  // namespace limelight
