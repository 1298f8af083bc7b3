#include "faces/story_json.h"

#include <algorithm>
#include <map>

#include "faces/json_parts.h"
#include "faces/matrix_bytes.h"
#include "faces/page_tensors.h"

namespace limelight {
namespace {

FaceJson word_json(const Story& story) {
  FaceJson word = {
      {"text", story.word}, {"first_token", story.first_token}, {"token", story.token}};
  if (!story.word_reason.empty()) word["chosen_because"] = story.word_reason;
  return word;
}

FaceJson recipe_json(const Recipe& recipe) {
  return {{"operation", name_of(recipe.operation)},
          {"operands", recipe.operands},
          {"factor", number_json(recipe.factor)}};
}

FaceJson tensor_json(const Story& story, const TraceTensor& tensor, TensorEncoding encoding) {
  FaceJson json = {{"axes", tensor.axes},
                   {"shape", {tensor.values.rows, tensor.values.columns}},
                   {"recipe", recipe_json(tensor.recipe)}};
  if (!tensor.rows.empty()) json["rows"] = tensor.rows;
  if (const TensorProof* proof = story.proof.find(tensor.name)) {
    json["proof"] = {{"largest_difference", number_json(proof->largest_difference)},
                     {"relative", number_json(proof->relative())},
                     {"row", proof->row},
                     {"column", proof->column}};
    if (tensor.axes[0] == "token") {
      json["proof"]["token"] = story.trace.at(tensor.name).token_of(proof->row);
    }
  }
  if (encoding == TensorEncoding::base64) {
    json["data"] = base64_of(tensor.values);
  } else {
    json["values"] = rows_json(tensor.values);
  }
  return json;
}

/// As data, everything but the parameters; for a page, what it shows.
std::map<std::string, PageRows> tensors_to_write(const Story& story, TensorEncoding encoding) {
  if (encoding == TensorEncoding::base64) return page_tensors(story);
  std::map<std::string, PageRows> all;
  for (const TraceTensor& tensor : story.trace.tensors()) {
    if (tensor.storage != nullptr) all[tensor.name] = PageRows::all;
  }
  return all;
}

/// The tensor with the row of one token alone.
TraceTensor only_row_of(TraceTensor tensor, std::int64_t token) {
  tensor.values = {tensor.values.row(tensor.row_of(token)).data(), 1, tensor.values.columns};
  tensor.rows = {token};
  return tensor;
}

FaceJson tensors_json(const Story& story, TensorEncoding encoding) {
  const auto to_write = tensors_to_write(story, encoding);
  FaceJson tensors = FaceJson::object();
  for (const TraceTensor& tensor : story.trace.tensors()) {
    const auto found = to_write.find(tensor.name);
    if (found == to_write.end()) continue;
    tensors[tensor.name] = found->second == PageRows::all
                               ? tensor_json(story, tensor, encoding)
                               : tensor_json(story, only_row_of(tensor, story.token), encoding);
  }
  return tensors;
}

FaceJson block_json(const Prose& prose) { return {{"kind", "prose"}, {"text", prose.text}}; }

FaceJson block_json(const Formula& formula) {
  return {{"kind", "formula"}, {"symbols", formula.symbols}, {"numbers", formula.numbers}};
}

FaceJson block_json(const TensorTable& table) {
  static constexpr const char* kCells[] = {"numbers", "scores", "weights"};
  return {{"kind", "tensor"},
          {"id", table.id},
          {"caption", table.caption},
          {"tensor", table.tensor},
          {"cells", kCells[static_cast<std::size_t>(table.cells)]},
          {"token", table.token ? FaceJson(*table.token) : FaceJson(nullptr)},
          {"whole", table.whole}};
}

FaceJson block_json(const FactTable& table) {
  FaceJson rows = FaceJson::array();
  for (const FactTable::Row& row : table.rows) {
    FaceJson values = FaceJson::array();
    for (const double value : row.values) values.push_back(number_json(value));
    rows.push_back({{"label", row.label}, {"values", values}});
  }
  return {{"kind", "facts"},
          {"id", table.id},
          {"caption", table.caption},
          {"columns", table.columns},
          {"rows", rows}};
}

FaceJson block_json(const PathPicture& path) {
  FaceJson points = FaceJson::array();
  for (const PathPicture::Point& point : path.points) {
    points.push_back(
        {{"label", point.label}, {"x", number_json(point.x)}, {"y", number_json(point.y)}});
  }
  return {{"kind", "path"},        {"id", path.id},         {"caption", path.caption},
          {"x_axis", path.x_axis}, {"y_axis", path.y_axis}, {"share", number_json(path.share)},
          {"points", points}};
}

FaceJson step_json(const Step& step) {
  FaceJson blocks = FaceJson::array();
  for (const StoryBlock& block : step.blocks) {
    blocks.push_back(std::visit([](const auto& each) { return block_json(each); }, block));
  }
  return {{"number", step.number},     {"id", step.id},    {"title", step.title},
          {"question", step.question}, {"blocks", blocks}, {"falls_short", step.falls_short}};
}

/// A later telling's step for a page: what the first telling has word for word, all of it or some
/// blocks, is only named.
FaceJson without_repeats(FaceJson step, const FaceJson& first) {
  if (step == first) return {{"number", step["number"]}, {"as_in_first", true}};
  const FaceJson& known = first["blocks"];
  FaceJson& blocks = step["blocks"];
  for (std::size_t i = 0; i < std::min(blocks.size(), known.size()); ++i) {
    if (blocks[i] == known[i]) blocks[i] = {{"kind", "as_in_first"}};
  }
  return step;
}

FaceJson tellings_json(const Story& story, TensorEncoding encoding) {
  FaceJson first_steps = FaceJson::array();
  for (const Step& step : story.told().steps) first_steps.push_back(step_json(step));

  FaceJson tellings = FaceJson::array();
  for (const Telling& telling : story.tellings) {
    FaceJson steps = FaceJson::array();
    for (std::size_t i = 0; i < telling.steps.size(); ++i) {
      FaceJson step = step_json(telling.steps[i]);
      const bool may_repeat = encoding == TensorEncoding::base64 && !tellings.empty();
      steps.push_back(may_repeat ? without_repeats(std::move(step), first_steps[i])
                                 : std::move(step));
    }
    tellings.push_back({{"layer", telling.layer},
                        {"head", telling.head},
                        {"chosen_because", telling.reason},
                        {"effective_words", number_json(telling.effective_words)},
                        {"steps", steps}});
  }
  return tellings;
}

FaceJson bug_json(const KnownBug& bug) {
  return {{"name", bug.name},   {"title", bug.title}, {"text", bug.text},
          {"wrong", bug.wrong}, {"right", bug.right}, {"recognise", bug.recognise}};
}

FaceJson guesses_json(const Story& story) {
  FaceJson guesses = FaceJson::array();
  for (const Guess& guess : story.guesses) {
    guesses.push_back(
        text_json({{"id", guess.id}, {"probability", number_json(guess.probability)}}, guess.text));
  }
  return guesses;
}

FaceJson proof_json(const Proof& proof) {
  FaceJson invariants = FaceJson::array();
  for (const InvariantProof& invariant : proof.invariants) {
    invariants.push_back({{"invariant", invariant.invariant},
                          {"holds", invariant.holds},
                          {"measured", invariant.measured}});
  }
  return {{"reference", "float64"},
          {"holds", proof.holds()},
          {"seconds", number_json(proof.seconds)},
          {"largest_relative_allowed", number_json(kLargestRelative)},
          {"invariants", invariants}};
}

FaceJson cost_json(const Cost& cost) {
  return {{"seconds", number_json(cost.seconds)},
          {"operations", number_json(cost.operations)},
          {"bytes", number_json(cost.bytes)},
          {"attention_seconds", number_json(cost.attention_seconds)},
          {"attention_operations", number_json(cost.attention_operations)},
          {"operations_ceiling", number_json(cost.operations_ceiling)}};
}

}  // namespace

std::string story_to_json(const Story& story, TensorEncoding encoding) {
  const Telling& told = story.told();
  FaceJson json;
  json["format"] = "limelight-story-1";
  json["hash"] = story.hash;
  json["text"] = story.text;
  json["model"] = model_json(story.model_name, story.config);
  json["tokens"] = tokens_json(story.ids, story.token_texts);
  json["word"] = word_json(story);
  json["layer"] = told.layer;
  json["head"] = told.head;
  json["effective_words"] = number_json(told.effective_words);
  if (!told.reason.empty()) json["head_chosen_because"] = told.reason;
  if (story.damage) json["bug"] = bug_json(known_bug(story.damage->bug));
  if (encoding == TensorEncoding::arrays) {
    for (const char* name : {"query", "key", "value", "scores", "weights", "context"}) {
      json[name] = rows_json(story.trace.values(head_tensor(told.layer, told.head, name)));
    }
  }
  json["tensors"] = tensors_json(story, encoding);
  json["tellings"] = tellings_json(story, encoding);
  json["next"] = guesses_json(story);
  json["proof"] = proof_json(story.proof);
  json["cost"] = cost_json(story.cost);
  return one_line(json);
}

}  // namespace limelight
