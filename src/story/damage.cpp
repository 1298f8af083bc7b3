#include "story/damage.h"

#include <algorithm>
#include <cmath>

#include "story/steps/measures.h"
#include "story/vocabulary.h"

namespace limelight {
namespace {

/// The largest |a - b| of the first `rows` rows, in parts of the largest number of all.
double largest_move(MatrixView a, MatrixView b, std::int64_t rows) {
  double move = 0;
  double largest = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < a.columns; ++c) {
      move = std::max<double>(move, std::fabs(a.at(r, c) - b.at(r, c)));
      largest = std::max<double>(largest, std::fabs(a.at(r, c)));
    }
  }
  return move / largest;
}

/// |a - b| / |a|
double relative_move(std::span<const float> a, std::span<const float> b) {
  std::vector<float> difference(a.begin(), a.end());
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= b[i];
  return length_of(difference) / length_of(a);
}

/// Both models on a text and on the same text changed.
class Experiment {
 public:
  Experiment(const Transformer& right, const WrongModel& wrong, std::span<const TokenId> ids,
             std::span<const TokenId> changed, TraceSelection selection)
      : right_(right),
        wrong_(wrong),
        ids_(ids),
        changed_(changed),
        selection_(std::move(selection)) {}

  /// `measure` takes the trace of the text and that of the changed one.
  template <class Measure>
  RightAndWrong run(const Measure& measure) const {
    return {
        measure(record_trace(right_, ids_, selection_), record_trace(right_, changed_, selection_)),
        measure(record_trace(right_, ids_, selection_, &wrong_),
                record_trace(right_, changed_, selection_, &wrong_))};
  }

 private:
  const Transformer& right_;
  const WrongModel& wrong_;
  std::span<const TokenId> ids_, changed_;
  TraceSelection selection_;
};

std::optional<RightAndWrong> change_the_last_word(const LoadedModel& model, const WrongModel& wrong,
                                                  std::span<const TokenId> ids) {
  if (ids.size() < 2) return std::nullopt;
  std::vector<TokenId> changed(ids.begin(), ids.end());
  const auto vocabulary = static_cast<TokenId>(model.transformer.config().vocab_size);
  changed.back() = (changed.back() + 1) % vocabulary;
  const TraceSelection no_layer = {.layers = std::vector<std::int64_t>{}};
  return Experiment(model.transformer, wrong, ids, changed, no_layer)
      .run([&](const Trace& before, const Trace& after) {
        return largest_move(before.values("final_norm"), after.values("final_norm"),
                            std::ssize(ids) - 1);
      });
}

std::optional<RightAndWrong> reverse_the_words_before(const LoadedModel& model,
                                                      const WrongModel& wrong,
                                                      std::span<const TokenId> ids) {
  std::vector<TokenId> changed(ids.begin(), ids.end());
  std::reverse(changed.begin(), changed.end() - 1);
  if (std::ranges::equal(changed, ids)) return std::nullopt;
  const std::int64_t last = std::ssize(ids) - 1;
  const TraceSelection first_layer = {.layers = std::vector<std::int64_t>{0},
                                      .heads = std::vector<std::int64_t>{},
                                      .tokens = std::vector{last}};
  return Experiment(model.transformer, wrong, ids, changed, first_layer)
      .run([&](const Trace& before, const Trace& after) {
        const std::string written = layer_tensor(0, "attention_out");
        return relative_move(before.row(written, last), after.row(written, last));
      });
}

}  // namespace

Damage measure_damage(const LoadedModel& model, const WrongModel& wrong,
                      std::span<const TokenId> ids, const TraceSelection& selection, int guesses) {
  Damage damage;
  damage.bug = wrong.bug;
  damage.right = record_trace(model.transformer, ids, selection);
  damage.right_guesses = guess_next(model.tokenizer, damage.right.values("logits").row(0), guesses);
  damage.moved_by_last_word = change_the_last_word(model, wrong, ids);
  damage.moved_by_order = reverse_the_words_before(model, wrong, ids);
  return damage;
}

}  // namespace limelight
