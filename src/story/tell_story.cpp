#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "story/cost.h"
#include "story/damage.h"
#include "story/located_word.h"
#include "story/steps/measures.h"
#include "story/steps/steps.h"
#include "story/story.h"
#include "story/story_hash.h"
#include "story/story_tensors.h"
#include "story/vocabulary.h"
#include "trace/selectivity.h"

namespace limelight {
namespace {

constexpr int kNearest = 5;

std::string reason_of(const StoryRequest& request, const HeadChoice& choice) {
  if (request.layer && request.head) return "";
  return choice.looks_elsewhere ? "chosen because its row is the most selective of those that look "
                                  "at another word"
                                : "chosen because its row is the most selective";
}

TraceSelection selection_for(const StoryRequest& request, const HeadChoice& choice,
                             std::int64_t token) {
  TraceSelection selection;
  selection.path_of = token;
  if (request.detail != StoryDetail::model) selection.layers = {choice.layer};
  if (request.detail == StoryDetail::row) selection.tokens = {token};
  // The first word has the most future: where a mask is wrong, its row shows it.
  if (selection.tokens && request.bug && token > 0) selection.tokens = {0, token};
  return selection;
}

/// The word's stream in another text. Its own future is left out: a causal model does not see it.
CompanionRun run_companion(const LoadedModel& model, const Companion& companion,
                           const WrongModel* wrong) {
  std::vector<TokenId> ids = model.tokenizer.encode(companion.text);
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const TokenId id : ids) texts.emplace_back(model.tokenizer.bytes_of(id));
  const std::int64_t token =
      tokens_of(texts, {companion.offset, companion.offset + companion.length}).last;
  ids.resize(static_cast<std::size_t>(token) + 1);
  const Trace trace = record_trace(
      model.transformer, ids, {.layers = std::vector<std::int64_t>{}, .path_of = token}, wrong);
  return {companion, *trace.at("stream_path").storage};
}

/// Those of the grammar's other texts that the model can run.
std::vector<Companion> companions_of(const LoadedModel& model, const StoryRequest& request,
                                     const Story& story) {
  if (!request.companions) return {};
  std::vector<Companion> companions = request.companions(story.word);
  const std::int64_t window = model.transformer.config().context_length;
  std::erase_if(companions, [&](const Companion& companion) {
    // A token is at least one byte: what fits in bytes fits in tokens.
    return companion.text == story.text || std::ssize(companion.text) > window;
  });
  return companions;
}

/// Side by side: each is too small to be shared among threads.
std::vector<CompanionRun> run_companions(const LoadedModel& model, const WrongModel* wrong,
                                         const std::vector<Companion>& companions) {
  std::vector<CompanionRun> runs(companions.size());
  parallel_for(std::ssize(companions), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    runs[at] = run_companion(model, companions[at], wrong);
  });
  return runs;
}

/// Every layer and head that was laid out, the asked one first.
std::vector<HeadChoice> heads_to_tell(const Story& story, const HeadChoice& first,
                                      StoryDetail detail) {
  std::vector<HeadChoice> heads = {first};
  if (detail != StoryDetail::model) return heads;
  for (std::int64_t layer = 0; layer < story.config.num_layers; ++layer) {
    for (std::int64_t head = 0; head < story.config.num_heads; ++head) {
      if (layer == first.layer && head == first.head) continue;
      heads.push_back({layer, head, 0, false});
    }
  }
  return heads;
}

Telling tell(const Narrator& narrator) {
  Telling telling;
  telling.layer = narrator.layer;
  telling.head = narrator.head;
  telling.reason = narrator.reason;
  telling.effective_words =
      effective_words(narrator.row(narrator.of_head("weights"))
                          .first(static_cast<std::size_t>(narrator.visible())));
  for (const auto make :
       {words_step, similarity_step, shares_step, mixing_step, everyone_step, query_key_step,
        scale_step, mask_step, value_step, heads_step, change_step, proof_step}) {
    telling.steps.push_back(make(narrator));
  }
  if (narrator.story.damage) telling.steps.push_back(wrong_step(narrator));
  return telling;
}

/// Everything of a story but its tellings.
Story gather(const LoadedModel& model, const StoryRequest& request, LocatedWord word,
             const HeadChoice& choice, const WrongModel* wrong) {
  Story story;
  story.config = model.transformer.config();
  story.text = request.text;
  story.ids = std::move(word.ids);
  story.token_texts = std::move(word.token_texts);
  story.word = std::move(word.word);
  story.word_reason = std::move(word.reason);
  story.first_token = word.first_token;
  story.token = word.token;
  story.hash = story_hash(model.transformer, story, choice.layer, choice.head, request.bug);

  const TraceSelection selection = selection_for(request, choice, story.token);
  story.trace = record_trace(model.transformer, story.ids, selection, wrong);
  add_similarity_tensors(story.trace, selection.tokens ? std::span(*selection.tokens)
                                                       : std::span<const std::int64_t>());
  for (const HeadChoice& head : heads_to_tell(story, choice, request.detail)) {
    add_ablation_tensors(story.trace, head.layer, head.head);
  }
  if (wrong != nullptr) {
    story.damage = measure_damage(model, *wrong, story.ids, selection, request.guesses);
    add_right_weights(story.trace, story.damage->right);
  }
  const MatrixView path = story.trace.values("stream_path");
  story.nearest_before = nearest_words(model, path.row(0), kNearest);
  story.nearest_after = nearest_words(model, path.row(path.rows - 1), kNearest);
  story.companions = run_companions(model, wrong, companions_of(model, request, story));
  story.proof = prove(story.trace);
  story.cost = measure_cost(model.transformer, story.ids);
  story.guesses = guess_next(model.tokenizer, story.trace.values("logits").row(0), request.guesses);
  return story;
}

}  // namespace

Result<Story> tell_story(const LoadedModel& model, const StoryRequest& request,
                         std::span<const std::string> ambiguous) {
  if (Status sound = check_layer_and_head(model.transformer.config(), request.layer, request.head);
      !sound) {
    return sound.failure();
  }
  auto word = locate_word(model, request.text, request.word, ambiguous, "the text");
  if (!word) return word.failure();
  const HeadChoice choice =
      choose_head(model.transformer, word->ids, word->token, request.layer, request.head);
  std::optional<WrongModel> wrong;
  if (request.bug) wrong = make_wrong(model.transformer, *request.bug);
  Story story = gather(model, request, std::move(*word), choice, wrong ? &*wrong : nullptr);
  for (const HeadChoice& head : heads_to_tell(story, choice, request.detail)) {
    const bool first = head.layer == choice.layer && head.head == choice.head;
    story.tellings.push_back(
        tell(Narrator(story, head.layer, head.head, first ? reason_of(request, choice) : "")));
  }
  return story;
}

}  // namespace limelight
