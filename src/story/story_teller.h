#pragma once

#include <limelight/result.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/model_files.h"
#include "story/comparison.h"
#include "story/story.h"

namespace limelight {

struct SenseGrammar;

/// A model from its folder, and what the sense grammar knows of words: all that telling stories
/// needs. Immutable; safe from several threads. Stories refer to its model, so it must outlive
/// them.
class StoryTeller {
 public:
  /// Opens both folders. Without a readable grammar no word is known to be ambiguous, and there
  /// are no companions. Fails when the model cannot be opened.
  static Result<StoryTeller> open(const std::filesystem::path& model_folder,
                                  const std::filesystem::path& senses_folder);

  StoryTeller(StoryTeller&&) noexcept;
  StoryTeller& operator=(StoryTeller&&) noexcept;
  ~StoryTeller();

  /// tell_story, with the grammar's ambiguous words and companions and the model's name.
  Result<Story> tell(StoryRequest request) const;
  /// compare_texts, with the same.
  Result<Comparison> compare(const ComparisonRequest& request) const;

  const LoadedModel& model() const { return model_; }

 private:
  StoryTeller(LoadedModel model, std::string name, std::unique_ptr<SenseGrammar> grammar);
  std::vector<std::string> ambiguous_words() const;

  LoadedModel model_;
  std::string name_;                       ///< of the model's folder
  std::unique_ptr<SenseGrammar> grammar_;  ///< null where there is none
};

}  // namespace limelight
