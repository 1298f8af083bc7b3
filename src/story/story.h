#pragma once

#include <limelight/result.h>
#include <limelight/tokenizer.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "model/model_files.h"
#include "trace/proof.h"
#include "trace/trace.h"

namespace limelight {

/// A sentence or two.
struct Prose {
  std::string text;
};

/// One line of mathematics, first in symbols, then with this run's numbers put in.
struct Formula {
  std::string symbols;
  std::string numbers;
};

/// What the cells of a table are: faces shade shares and signed scores differently.
enum class CellKind : std::uint8_t { numbers, scores, weights };

/// A tensor of the trace to be shown; its cells open by its recipe.
struct TensorTable {
  std::string id;  ///< unique within the step: a file name for CSV
  std::string caption;
  std::string tensor;  ///< its name in the trace
  CellKind cells = CellKind::numbers;
  /// The token whose row is meant, where one is; a face short of room shows that row.
  std::optional<std::int64_t> token;
  bool whole = false;  ///< the matrix is the point, not the row
};

/// Named numbers that are no tensor: lengths, cosines, effective words.
struct FactTable {
  struct Row {
    std::string label;
    std::vector<double> values;
  };
  std::string id;
  std::string caption;
  std::vector<std::string> columns;  ///< one for each value of a row
  std::vector<Row> rows;
};

/// Vectors laid head to tail, projected to a plane that the caption's axes name.
struct PathPicture {
  struct Point {
    std::string label;  ///< what was added to come here; the first is where the path begins
    double x = 0, y = 0;
  };
  std::string id;
  std::string caption;
  std::string x_axis, y_axis;
  double share = 0;  ///< of the squared length of what is shown that lies in the plane
  std::vector<Point> points;
};

using StoryBlock = std::variant<Prose, Formula, TensorTable, FactTable, PathPicture>;

/// One of the twelve steps: a question, its answer in this text's numbers, and where the answer
/// falls short, so that the next step is wanted before it comes.
struct Step {
  int number = 0;     ///< from 1
  std::string id;     ///< "words", "similarity", ...
  std::string title;  ///< "Words become numbers"
  std::string question;
  std::vector<StoryBlock> blocks;
  std::string falls_short;  ///< "" where it does not
};

/// The twelve steps, told of one layer and head; of a run that is wrong on purpose, a thirteenth.
struct Telling {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string reason;          ///< why this layer and head; "" when both were asked for
  double effective_words = 0;  ///< exp of the entropy of the word's row of weights
  std::vector<Step> steps;
};

/// A token the model expects next.
struct Guess {
  TokenId id = 0;
  std::string text;
  double probability = 0;
};

/// How much of a run is laid out.
enum class StoryDetail : std::uint8_t {
  row,    ///< the word's row of one head: no N x N matrix is made
  head,   ///< one head of one layer whole, and the weights of its neighbours
  model,  ///< every head of every layer, each with a telling of its own
};

/// Another text with the same word, to see where that word goes there.
struct Companion {
  std::string text;
  std::string note;        ///< what the word means there, "" where nobody said
  std::size_t offset = 0;  ///< of the word in `text`, in bytes
  std::size_t length = 0;
};

/// What to tell; what is not given is chosen.
struct StoryRequest {
  std::string text;
  std::optional<std::string> word;
  std::optional<std::int64_t> layer;
  std::optional<std::int64_t> head;
  StoryDetail detail = StoryDetail::head;
  int guesses = 5;
  std::optional<Bug> bug;  ///< made on purpose, in every layer
  /// Told the word, gives texts to compare it in; none where this is empty or the word has none.
  std::function<std::vector<Companion>(const std::string& word)> companions;
};

/// What the run and its attention cost.
struct Cost {
  double seconds = 0;            ///< of the model's forward pass
  double operations = 0;         ///< multiplications and additions of the forward pass
  double bytes = 0;              ///< parameters and activations that it touched
  double attention_seconds = 0;  ///< of the operator on the told layer alone
  double attention_operations = 0;
  double operations_ceiling = 0;  ///< operations per second of this machine's FMA units, measured
};

/// A row of the token table, and the cosine between it and a vector.
struct NearWord {
  std::string text;
  double cosine = 0;
};

/// The word's stream in a companion text.
struct CompanionRun {
  Companion companion;
  Matrix path;  ///< [depth, width]: the embedding, then the stream after each layer
};

/// The same measure of two runs.
struct RightAndWrong {
  double right = 0;
  double wrong = 0;
};

/// What a run that is wrong on purpose is held against: the run without the mistake.
struct Damage {
  Bug bug = Bug::softmax_over_queries;
  Trace right;  ///< of the layers, heads and tokens that the story keeps
  std::vector<Guess> right_guesses;
  /// With another last word: the largest move of an earlier word's vector after the final norm, in
  /// parts of the largest number there. None where there is no earlier word.
  std::optional<RightAndWrong> moved_by_last_word;
  /// With the words before the last one reversed: how far moves what attention writes for the last
  /// word in layer 0, in parts of its length. None where they read the same backwards.
  std::optional<RightAndWrong> moved_by_order;
};

/// One run of a model on a text, told in steps. Everything a face shows is in here; a face computes
/// nothing.
struct Story {
  std::string hash;  ///< of model, text and options: 32 hexadecimal digits
  std::string model_name;
  TransformerConfig config;
  std::string text;
  std::vector<TokenId> ids;
  std::vector<std::string> token_texts;  ///< the bytes of each token

  std::string word;              ///< as it stands in the text
  std::string word_reason;       ///< why this word, when it was chosen; "" when it was asked for
  std::int64_t first_token = 0;  ///< of the word
  std::int64_t token = 0;        ///< the word's last token: the row that is looked at

  Trace trace;  ///< the run's tensors, and those that the steps made
  Proof proof;
  Cost cost;
  std::vector<Guess> guesses;            ///< after the last token, the most probable first
  std::vector<NearWord> nearest_before;  ///< to the word's embedding
  std::vector<NearWord> nearest_after;   ///< to its stream after the last layer
  std::vector<CompanionRun> companions;
  std::optional<Damage> damage;   ///< of a run that is wrong on purpose
  std::vector<Telling> tellings;  ///< the first is the one asked for or chosen

  const Telling& told() const { return tellings.front(); }
};

/// Runs the model on the text and tells it. The story's trace refers to the model's parameters: the
/// model must outlive it. `ambiguous` are the words preferred when none is asked
/// for. Fails on an empty text, one that is not UTF-8 or longer than the context window, a word
/// that is not in it, a layer or head that the model does not have.
Result<Story> tell_story(const LoadedModel& model, const StoryRequest& request,
                         std::span<const std::string> ambiguous);

}  // namespace limelight
