#pragma once

#include <limelight/result.h>
#include <limelight/tokenizer.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_files.h"
#include "trace/head_trace.h"
#include "trace/proof.h"
#include "trace/trace.h"

namespace limelight {

/// What to explain; what is not given is chosen.
struct ExplanationRequest {
  std::string text;
  std::optional<std::string> word;
  std::optional<std::int64_t> layer;
  std::optional<std::int64_t> head;
  int guesses = 5;
};

/// A token the model expects next.
struct Guess {
  TokenId id = 0;
  std::string text;
  double probability = 0;
};

/// One run of a model on a text, looked at through one word, one layer and one head. Everything a
/// face shows is in here; a face computes nothing.
struct Explanation {
  std::string text;
  std::vector<TokenId> ids;
  std::vector<std::string> token_texts;  ///< the bytes of each token

  std::string word;              ///< as it stands in the text
  std::string word_reason;       ///< why this word, when it was chosen; "" when it was asked for
  std::int64_t first_token = 0;  ///< of the word
  std::int64_t token = 0;        ///< the word's last token: the row that is looked at

  HeadTrace head;
  std::string head_reason;                 ///< why this layer and head; "" when both were asked for
  double effective_words = 0;              ///< of the word's row in this head
  std::vector<Matrix> layer_weights;       ///< [tokens, tokens] for every head of the layer
  std::vector<double> head_write_lengths;  ///< length of each head's write at the word

  Trace trace;
  Proof proof;
  std::vector<Guess> guesses;  ///< after the last token, the most probable first
};

/// Runs the model on the text and gathers the explanation. `ambiguous` are the words preferred when
/// none is asked for. Fails on an empty text, one that is not UTF-8 or longer than the context
/// window, a word that is not in it, a layer or head that the model does not have.
Result<Explanation> explain(const LoadedModel& model, const ExplanationRequest& request,
                            std::span<const std::string> ambiguous);

}  // namespace limelight
