#include "story/story_teller.h"

#include "story/companions.h"
#include "training/senses/sense_grammar.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> forms_of(const SenseGrammar& grammar) {
  std::vector<std::string> forms;
  for (const SenseWord& word : grammar.words) {
    forms.insert(forms.end(), word.forms.begin(), word.forms.end());
  }
  return forms;
}

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
  auto model = load_model_folder(model_folder);
  if (!model) return model.failure();
  auto grammar = load_sense_grammar(senses_folder);
  return StoryTeller(std::move(*model), name_of(model_folder),
                     grammar ? std::make_unique<SenseGrammar>(std::move(*grammar)) : nullptr);
}

Result<Story> StoryTeller::tell(StoryRequest request) const {
  std::vector<std::string> ambiguous;
  if (grammar_) {
    ambiguous = forms_of(*grammar_);
    request.companions = [this](const std::string& word) {
      return sense_companions(*grammar_, word);
    };
  }
  auto story = tell_story(model_, request, ambiguous);
  if (story) story->model_name = name_;
  return story;
}

}  // namespace limelight
