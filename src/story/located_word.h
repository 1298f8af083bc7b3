#pragma once

#include <limelight/result.h>
#include <limelight/tokenizer.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/model_files.h"
#include "story/word_finder.h"

namespace limelight {

/// A text as the model reads it, and a word of it.
struct LocatedWord {
  std::vector<TokenId> ids;
  std::vector<std::string> token_texts;  ///< the bytes of each token
  std::string word;                      ///< as it stands in the text
  std::string reason;                    ///< why this word, when it was chosen
  std::int64_t first_token = 0;          ///< of the word
  std::int64_t token = 0;                ///< its last
};

/// Encodes the text and finds `word` in it (the last of several; case aside), or chooses one, an
/// `ambiguous` one before others. Fails on a text that is empty, not UTF-8, or longer than the
/// context window, and on a word that is not in it. `what` names the text in messages: "the text".
Result<LocatedWord> locate_word(const LoadedModel& model, const std::string& text,
                                const std::optional<std::string>& word,
                                std::span<const std::string> ambiguous, const std::string& what);

/// Fails on a layer or head that is given and that the model does not have.
Status check_layer_and_head(const TransformerConfig& config, std::optional<std::int64_t> layer,
                            std::optional<std::int64_t> head);

/// The tokens that hold the bytes of `span`: first and last.
struct TokenSpan {
  std::int64_t first = 0;
  std::int64_t last = 0;
};
TokenSpan tokens_of(std::span<const std::string> token_texts, WordSpan span);

}  // namespace limelight
