#include "training/senses/sense_probe.h"

#include <algorithm>
#include <limits>

namespace limelight {
namespace {

/// The vectors that one sentence offers for telling the sense: [bag, embedding, after layer 0,
/// ...].
using Views = std::vector<std::vector<float>>;

/// Copies the rows of the marked word as they pass the doors.
class WordRecorder : public Recorder {
 public:
  WordRecorder(std::int64_t token, Views& views) : token_(token), views_(views) {}

  void record(Door door, std::int64_t, const float* values, std::int64_t,
              std::int64_t width) override {
    if (door != Door::residual_out) return;
    const float* row = values + token_ * width;
    views_.emplace_back(row, row + width);
  }

 private:
  std::int64_t token_;
  Views& views_;
};

/// The index of the token that holds the last byte before `end`.
std::int64_t token_before(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                          std::size_t end) {
  std::size_t offset = 0;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    offset += tokenizer.bytes_of(ids[t]).size();
    if (offset >= end) return static_cast<std::int64_t>(t);
  }
  return static_cast<std::int64_t>(ids.size()) - 1;
}

std::vector<float> bag_of_embeddings(const Transformer& model, std::span<const TokenId> ids) {
  const std::int64_t width = model.config().width;
  const float* table = model.parameter_views().token_embedding;
  std::vector<float> bag(static_cast<std::size_t>(width));
  for (const TokenId id : ids) {
    for (std::int64_t c = 0; c < width; ++c) {
      bag[static_cast<std::size_t>(c)] += table[id * width + c] / static_cast<float>(ids.size());
    }
  }
  return bag;
}

Views views_of(const LoadedModel& model, const SenseExample& example) {
  const Transformer& transformer = model.transformer;
  const std::int64_t width = transformer.config().width;
  std::vector<TokenId> ids = model.tokenizer.encode(example.text);
  const std::int64_t token = token_before(model.tokenizer, ids, example.offset + example.length);
  // What comes after the word cannot change its vector: a causal model need not see it.
  ids.resize(static_cast<std::size_t>(std::min(token + 1, transformer.config().context_length)));

  Views views;
  views.push_back(bag_of_embeddings(transformer, std::span(ids).first(ids.size() - 1)));
  const float* own = transformer.parameter_views().token_embedding + ids.back() * width;
  views.emplace_back(own, own + width);
  Activations activations(transformer.config(), 1, std::ssize(ids), /*keep_all_layers=*/false);
  WordRecorder recorder(std::ssize(ids) - 1, views);
  transformer.forward(ids, activations, &recorder);
  return views;
}

/// The mean of the vectors of each sense, for each view.
class SenseMeans {
 public:
  explicit SenseMeans(std::size_t senses) : sums_(senses), counts_(senses) {}

  void add(std::size_t sense, const Views& views) {
    auto& sums = sums_[sense];
    if (sums.empty()) sums.resize(views.size());
    for (std::size_t v = 0; v < views.size(); ++v) {
      if (sums[v].empty()) sums[v].resize(views[v].size());
      for (std::size_t c = 0; c < views[v].size(); ++c) sums[v][c] += views[v][c];
    }
    ++counts_[sense];
  }

  std::size_t nearest(std::size_t view, const std::vector<float>& vector) const {
    std::size_t best = 0;
    double best_distance = std::numeric_limits<double>::infinity();
    for (std::size_t sense = 0; sense < sums_.size(); ++sense) {
      if (counts_[sense] == 0) continue;
      double distance = 0;
      for (std::size_t c = 0; c < vector.size(); ++c) {
        const double difference = vector[c] - sums_[sense][view][c] / counts_[sense];
        distance += difference * difference;
      }
      if (distance < best_distance) best_distance = distance, best = sense;
    }
    return best;
  }

 private:
  std::vector<std::vector<std::vector<double>>> sums_;  ///< [sense][view][column]
  std::vector<double> counts_;
};

SenseAccuracy probe_word(const LoadedModel& model, const SenseGrammar& grammar,
                         const SenseWord& word, SensePosition position,
                         const SenseProbeOptions& options) {
  const auto examples = [&](bool held_out, int count) {
    return generate_examples(grammar, {.word = word.word,
                                       .position = position,
                                       .held_out = held_out,
                                       .seed = options.seed,
                                       .count = static_cast<std::size_t>(count)});
  };
  const auto index_of = [&](const std::string& name) {
    const auto is_named = [&](const Sense& sense) { return sense.name == name; };
    return static_cast<std::size_t>(std::ranges::find_if(word.senses, is_named) -
                                    word.senses.begin());
  };
  SenseMeans means(word.senses.size());
  for (const SenseExample& example : examples(false, options.mean_examples)) {
    means.add(index_of(example.sense), views_of(model, example));
  }
  std::vector<double> right;
  double tested = 0;
  for (const SenseExample& example : examples(true, options.test_examples)) {
    const Views views = views_of(model, example);
    right.resize(views.size());
    for (std::size_t v = 0; v < views.size(); ++v) {
      right[v] += means.nearest(v, views[v]) == index_of(example.sense);
    }
    ++tested;
  }
  for (double& share : right) share /= tested;
  return {.word = word.word,
          .senses = static_cast<int>(word.senses.size()),
          .chance = 1 / static_cast<double>(word.senses.size()),
          .bag = right[0],
          .embedding = right[1],
          .after_layers = std::vector<double>(right.begin() + 2, right.end())};
}

SenseAccuracy average_of(const std::vector<SenseAccuracy>& words) {
  SenseAccuracy average{.word = "average"};
  const double share = 1 / static_cast<double>(words.size());
  for (const SenseAccuracy& word : words) {
    average.senses += word.senses;
    average.chance += share * word.chance;
    average.bag += share * word.bag;
    average.embedding += share * word.embedding;
    average.after_layers.resize(word.after_layers.size());
    for (std::size_t i = 0; i < word.after_layers.size(); ++i) {
      average.after_layers[i] += share * word.after_layers[i];
    }
  }
  return average;
}

}  // namespace

SenseReport probe_senses(const LoadedModel& model, const SenseGrammar& grammar,
                         SensePosition position, const SenseProbeOptions& options,
                         const std::function<void(int, int)>& progress) {
  SenseReport report{.position = position};
  for (const SenseWord& word : grammar.words) {
    progress(static_cast<int>(report.words.size()), static_cast<int>(grammar.words.size()));
    report.words.push_back(probe_word(model, grammar, word, position, options));
  }
  report.average = average_of(report.words);
  return report;
}

}  // namespace limelight
