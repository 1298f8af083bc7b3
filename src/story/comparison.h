#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/model_files.h"
#include "story/story.h"

namespace limelight {

/// A text has a letter for a name in every face: A, B, C, ...
inline constexpr std::size_t kMostCompared = 26;

/// What to compare; what is not given is chosen.
struct ComparisonRequest {
  std::vector<std::string> texts;  ///< 2 to kMostCompared
  std::optional<std::string> word;
  std::optional<std::int64_t> layer;
  std::optional<std::int64_t> head;
};

/// What one visible token gave to the word, through one head: weight * value * output matrix.
struct WordContribution {
  std::int64_t token = 0;
  double weight = 0;
  double write_length = 0;  ///< of what it alone wrote
  double share = 0;         ///< of the head's whole write, along that write; all sum to 1
};

struct PlanePoint {
  double x = 0;
  double y = 0;
};

/// One of the texts, and the word's way through the model in it.
struct ComparedText {
  std::string text;
  std::vector<TokenId> ids;
  std::vector<std::string> token_texts;  ///< the bytes of each token
  std::string word;                      ///< as it stands there
  std::int64_t first_token = 0;          ///< of the word
  std::int64_t token = 0;                ///< the word's last token: what is followed

  Matrix path;                  ///< [depth, width]: the embedding, then the stream after each layer
  double token_row_length = 0;  ///< of the token's row of the table
  double position_row_length = 0;  ///< of the row of its place
  double effective_words = 0;      ///< exp of the entropy of the head's row for the word
  std::vector<WordContribution> contributions;  ///< of the tokens that it sees, in order
  std::vector<NearWord> nearest_before;         ///< to the embedding, by cosine
  std::vector<NearWord> nearest_after;          ///< to the stream after the last layer
  std::vector<PlanePoint> points;               ///< of path, depth by depth
  Proof proof;                                  ///< of what was recorded for it
};

/// The same word in several texts: where it begins, and where each text takes it. Everything that
/// a face shows is in here; a face computes nothing.
struct Comparison {
  std::string hash;  ///< of model, texts and options: 32 hexadecimal digits
  std::string model_name;
  TransformerConfig config;
  std::string word;         ///< as it was asked for
  std::string word_reason;  ///< why this word, when it was chosen
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string reason;  ///< why this layer and head; "" when both were asked for

  std::vector<ComparedText> texts;
  /// Of every depth: cosine between the word's vectors in texts i and j.
  std::vector<Matrix64> cosines;
  double x_share = 0;  ///< of the variance of all vectors of all texts that lies along the axis
  double y_share = 0;
  std::string x_axis, y_axis;  ///< what they are, in words

  std::string begins;  ///< what the embeddings have in common and what not, in words
  std::string ends;    ///< which texts took the word the same way, in words

  std::int64_t depths() const { return config.num_layers + 1; }
  bool proof_holds() const;
};

/// "A" for 0, "B" for 1, ...
std::string text_letter(std::size_t index);
/// "embedding" for 0, "layer 0" for 1, ...: the point that a path has reached.
std::string depth_name(std::int64_t depth);

/// Runs the model on each text and lays the word's ways beside each other. The plane is that of the
/// first two principal axes of all vectors of all texts about their mean; x grows from the
/// embeddings to the last layer, and the first text ends above 0. `ambiguous` are the words
/// preferred when none is asked for. Fails, naming the text, on fewer than 2 or more than
/// kMostCompared texts, a text that is empty, not UTF-8 or longer than the context window, a word
/// that is not in every text, a layer or head that the model does not have.
Result<Comparison> compare_texts(const LoadedModel& model, const ComparisonRequest& request,
                                 std::span<const std::string> ambiguous);

}  // namespace limelight
