#include "training/senses/sense_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "training/senses/random_draws.h"
#include "training/senses/sentence_writer.h"

namespace limelight {
namespace {

// Per cent, of the documents about a sense.
constexpr unsigned kSingleSentence = 30;
constexpr unsigned kTwoSubjects = 10;
// Per cent, of the sentences around a document's first marked one.
constexpr unsigned kLead = 50;
constexpr unsigned kMarked = 40;  // the rest are everyday sentences
// Per cent, of the marked sentences.
constexpr unsigned kContextBefore = 65;

using Frames = std::vector<const Frame*>;

Frames select(const std::vector<Frame>& frames, bool held_out) {
  Frames selected;
  for (const Frame& frame : frames) {
    if (frame.held_out == held_out) selected.push_back(&frame);
  }
  return selected;
}

/// What may be trained on, of one sense.
struct TrainingFrames {
  Frames before;
  Frames after;
  Frames lead;
};

/// Writes documents one by one.
class DocumentWriter {
 public:
  explicit DocumentWriter(const SenseGrammar& grammar) : grammar_(grammar) {
    for (const SenseWord& word : grammar.words) {
      for (const Sense& sense : word.senses) {
        senses_.push_back(
            {select(sense.before, false), select(sense.after, false), select(sense.lead, false)});
      }
    }
    for (const EverydayTopic& topic : grammar.topics) {
      topics_.push_back(select(topic.sentences, false));
    }
  }

  std::string write(RandomDraws& random, unsigned everyday_percent) const {
    if (!topics_.empty() && random.chance(everyday_percent)) return everyday_paragraph(random);
    if (random.chance(kSingleSentence)) return paragraph(random, 1);
    if (random.chance(kTwoSubjects)) {
      std::string first = paragraph(random, 1 + random.below(2));
      return first + " " + paragraph(random, 1 + random.below(2));
    }
    return paragraph(random, 2 + random.below(4));
  }

 private:
  /// Sentences around one sense; at least one of them marks the word.
  std::string paragraph(RandomDraws& random, std::size_t count) const {
    const TrainingFrames& sense = senses_[random.below(senses_.size())];
    Frames frames;
    const std::size_t certain = random.below(count);
    for (std::size_t i = 0; i < count; ++i) {
      add_unused(frames, i == certain ? marked(sense, random) : around(sense, random), random);
    }
    return write_all(frames, random);
  }

  std::string everyday_paragraph(RandomDraws& random) const {
    const Frames& topic = topics_[draw_topic(random)];
    Frames frames;
    const std::size_t count = std::min<std::size_t>(1 + random.below(6), topic.size());
    for (std::size_t i = 0; i < count; ++i) add_unused(frames, topic, random);
    return write_all(frames, random);
  }

  const Frames& marked(const TrainingFrames& sense, RandomDraws& random) const {
    return random.chance(kContextBefore) ? sense.before : sense.after;
  }

  const Frames& around(const TrainingFrames& sense, RandomDraws& random) const {
    const std::uint64_t kind = random.below(100);
    if (kind < kLead && !sense.lead.empty()) return sense.lead;
    if (kind < kLead + kMarked || topics_.empty()) return marked(sense, random);
    return topics_[draw_topic(random)];
  }

  /// A topic as often as it has sentences.
  std::size_t draw_topic(RandomDraws& random) const {
    std::size_t total = 0;
    for (const Frames& topic : topics_) total += topic.size();
    std::size_t at = random.below(total);
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      if (at < topics_[i].size()) return i;
      at -= topics_[i].size();
    }
    return topics_.size() - 1;
  }

  /// A frame that the paragraph does not have yet, unless luck is against it.
  static void add_unused(Frames& frames, const Frames& choice, RandomDraws& random) {
    constexpr int kTries = 8;
    const Frame* frame = choice[random.below(choice.size())];
    for (int i = 1; i < kTries && std::find(frames.begin(), frames.end(), frame) != frames.end();
         ++i) {
      frame = choice[random.below(choice.size())];
    }
    frames.push_back(frame);
  }

  std::string write_all(const Frames& frames, RandomDraws& random) const {
    SentenceWriter writer(grammar_, random);
    std::string text;
    for (const Frame* frame : frames) {
      if (!text.empty()) text += ' ';
      text += writer.write(*frame).text;
    }
    return text;
  }

  const SenseGrammar& grammar_;
  std::vector<TrainingFrames> senses_;
  std::vector<Frames> topics_;
};

}  // namespace

std::string generate_text(const SenseGrammar& grammar, const GenerateOptions& options) {
  if (options.everyday_percent > 100) {
    throw Error(fmt::format("everyday_percent is {}; expected 0 to 100", options.everyday_percent));
  }
  const DocumentWriter writer(grammar);
  std::string text;
  for (std::uint64_t document = 0; text.size() < options.bytes; ++document) {
    RandomDraws random(options.seed, document);
    text += writer.write(random, options.everyday_percent);
    text += '\n';
    text += kDocumentEnd;
    text += '\n';
  }
  return text;
}

std::vector<SenseExample> generate_examples(const SenseGrammar& grammar,
                                            const ExampleOptions& options) {
  const auto word =
      std::find_if(grammar.words.begin(), grammar.words.end(),
                   [&](const SenseWord& known) { return known.word == options.word; });
  if (word == grammar.words.end()) {
    throw Error(fmt::format("word \"{}\" is not in the sense grammar; expected one of its {} words",
                            options.word, grammar.words.size()));
  }
  std::vector<SenseExample> examples;
  std::uint64_t stream = 0;
  for (const Sense& sense : word->senses) {
    const bool before = options.position == SensePosition::kBefore;
    const Frames frames = select(before ? sense.before : sense.after, options.held_out);
    for (std::size_t i = 0; i < options.count && !frames.empty(); ++i, ++stream) {
      RandomDraws random(options.seed, stream);
      FinishedSentence sentence = SentenceWriter(grammar, random).write(*frames[i % frames.size()]);
      examples.push_back({std::move(sentence.text), word->word, sense.name, sentence.mark_offset,
                          sentence.mark_length, options.position, options.held_out});
    }
  }
  return examples;
}

}  // namespace limelight
