#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/model_files.h"
#include "training/senses/sense_generator.h"
#include "training/senses/sense_grammar.h"

namespace limelight {

/// How much of each to draw. Class means are taken over sentences of the training frames; accuracy
/// is measured on sentences of the held-out frames, which no training text was made from.
struct SenseProbeOptions {
  int mean_examples = 200;  ///< of each sense and position
  int test_examples = 100;  ///< of each sense and position
  std::uint64_t seed = 1;
};

/// How well the senses of one word are told apart, by the nearest of the senses' mean vectors:
/// shares of the held-out sentences that were told right.
struct SenseAccuracy {
  std::string word;
  int senses = 0;
  double chance = 0;                 ///< 1 / senses
  double bag = 0;                    ///< from the mean embedding of the words before it
  double embedding = 0;              ///< from its own token embedding
  std::vector<double> after_layers;  ///< from its vector after each layer
};

/// One position of the telling context, all words.
struct SenseReport {
  SensePosition position = SensePosition::kBefore;
  std::vector<SenseAccuracy> words;
  SenseAccuracy average;  ///< over the words
};

/// Measures a model. `progress` is told the words done and the words in all.
SenseReport probe_senses(const LoadedModel& model, const SenseGrammar& grammar,
                         SensePosition position, const SenseProbeOptions& options,
                         const std::function<void(int done, int total)>& progress);

}  // namespace limelight
