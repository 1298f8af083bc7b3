#include "story/story_teller.h"

#include <future>

#include "layers/gemm.h"
#include "story/companions.h"
#include "training/senses/sense_grammar.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

std::string name_of(const fs::path& folder) {
  const fs::path absolute = fs::absolute(folder).lexically_normal();
  return (absolute.has_filename() ? absolute : absolute.parent_path()).filename().string();
}

}  // namespace

StoryTeller::StoryTeller(LoadedModel model, std::string name, std::unique_ptr<SenseGrammar> grammar)
    : model_(std::move(model)), name_(std::move(name)), grammar_(std::move(grammar)) {}
StoryTeller::StoryTeller(StoryTeller&&) noexcept = default;
StoryTeller& StoryTeller::operator=(StoryTeller&&) noexcept = default;
StoryTeller::~StoryTeller() = default;

Result<StoryTeller> StoryTeller::open(const fs::path& model_folder, const fs::path& senses_folder) {
  // The first product takes oneDNN about as long as reading a model takes.
  const auto prepared = std::async(std::launch::async, prepare_gemm);
  auto model = load_model_folder(model_folder);
  if (!model) return model.failure();
  auto grammar = load_sense_grammar(senses_folder);
  return StoryTeller(std::move(*model), name_of(model_folder),
                     grammar ? std::make_unique<SenseGrammar>(std::move(*grammar)) : nullptr);
}

Result<Story> StoryTeller::tell(StoryRequest request) const {
  if (grammar_) {
    request.companions = [this](const std::string& word) {
      return sense_companions(*grammar_, word);
    };
  }
  auto story = tell_story(model_, request, ambiguous_words());
  if (story) story->model_name = name_;
  return story;
}

Result<Comparison> StoryTeller::compare(const ComparisonRequest& request) const {
  auto comparison = compare_texts(model_, request, ambiguous_words());
  if (comparison) comparison->model_name = name_;
  return comparison;
}

std::vector<std::string> StoryTeller::ambiguous_words() const {
  return grammar_ ? grammar_->all_forms() : std::vector<std::string>();
}

}  // namespace limelight
