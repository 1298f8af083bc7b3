#include "training/corpus.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/parallel.h"
#include "training/senses/sense_generator.h"
#include "training/senses/sense_grammar.h"

namespace limelight {
namespace {

/// Learning merges from this much of the text is as good as from all of it.
constexpr std::size_t kTokenizerSample = 12'000'000;

Result<std::string> read_text(const TrainingPlan& plan,
                              const std::function<void(const std::string&)>& stage) {
  std::string text;
  for (const std::string& file : plan.text_files) {
    auto content = read_whole_file(file);
    if (!content) return content.failure();
    if (content->empty())
      return Failure{file + ": expected text to learn from, found an empty file"};
    if (!text.empty()) text += kEndOfText;
    text += *content;
  }
  if (!plan.sense_grammar.empty()) {
    stage(fmt::format("generating {:.1f} MB of text from {}",
                      static_cast<double>(plan.sense_bytes) / 1e6, plan.sense_grammar));
    auto grammar = load_sense_grammar(plan.sense_grammar);
    if (!grammar) return grammar.failure();
    if (!text.empty()) text += kEndOfText;
    text += generate_text(*grammar,
                          {.seed = plan.seed, .bytes = static_cast<std::size_t>(plan.sense_bytes)});
  }
  return text;
}

Result<Tokenizer> make_tokenizer(const TrainingPlan& plan, std::string_view text,
                                 const std::function<void(const std::string&)>& stage) {
  if (!plan.tokenizer_file.empty()) return Tokenizer::from_file(plan.tokenizer_file);
  stage(fmt::format("learning a vocabulary of {} tokens", plan.vocab_size));
  Tokenizer::TrainingOptions options;
  options.vocab_size = static_cast<int>(plan.vocab_size);
  options.special_tokens = {kEndOfText};
  return Tokenizer::train(text.substr(0, kTokenizerSample), options);
}

/// Encodes in pieces that end where a document ends (or a line, for text that is one document), on
/// all threads; the same tokens whatever their number.
std::vector<TokenId> encode_text(const Tokenizer& tokenizer, std::string_view text) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  const std::string_view mark = kEndOfText;
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (text.size() > kPieceBytes) {
      const std::size_t document = text.find(mark, kPieceBytes);
      if (document != std::string_view::npos) end = document + mark.size();
    }
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  std::vector<std::vector<TokenId>> encoded(pieces.size());
  parallel_for(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    encoded[at] = tokenizer.encode(pieces[at], /*parse_special=*/true);
  });
  std::vector<TokenId> tokens;
  for (const auto& piece : encoded) tokens.insert(tokens.end(), piece.begin(), piece.end());
  return tokens;
}

}  // namespace

Result<Corpus> prepare_corpus(const TrainingPlan& plan,
                              const std::function<void(const std::string&)>& stage) {
  auto text = read_text(plan, stage);
  if (!text) return text.failure();
  auto tokenizer = make_tokenizer(plan, *text, stage);
  if (!tokenizer) return tokenizer.failure();

  stage("encoding the text");
  std::vector<TokenId> tokens = encode_text(*tokenizer, *text);
  std::vector<TokenId> held_back;
  if (plan.validation_file.empty()) {
    const auto keep = static_cast<std::ptrdiff_t>(static_cast<double>(tokens.size()) *
                                                  (1 - plan.validation_fraction));
    held_back.assign(tokens.begin() + keep, tokens.end());
    tokens.resize(static_cast<std::size_t>(keep));
  } else {
    auto validation = read_whole_file(plan.validation_file);
    if (!validation) return validation.failure();
    held_back = encode_text(*tokenizer, *validation);
  }
  for (const auto& [name, part] : {std::pair{"training", &tokens}, {"validation", &held_back}}) {
    const auto found = static_cast<std::int64_t>(part->size());
    if (found <= plan.context_length) {
      return Failure{fmt::format(
          "the {} text has {} tokens, expected more than the {} of one window: give more text or a "
          "smaller --context",
          name, found, plan.context_length)};
    }
  }

  const TokenId end_of_text = tokenizer->special_token(kEndOfText);
  const std::size_t bytes = text->size();
  return Corpus{std::move(*tokenizer), TokenDataset(std::move(tokens), end_of_text),
                TokenDataset(std::move(held_back), end_of_text), bytes};
}

}  // namespace limelight
