#include "faces/explanation_json.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace limelight {
namespace {

// Numbers are kept as float, so that they are written with the fewest digits that read back the
// same.
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool,
                                  std::int64_t, std::uint64_t, float>;

Json rows_of(const Matrix& matrix) {
  Json rows = Json::array();
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    const auto values = matrix.row(row);
    rows.push_back(std::vector<float>(values.begin(), values.end()));
  }
  return rows;
}

Json text_json(Json target, const std::string& text) {
  target["text"] = text;
  if (find_invalid_utf8(text)) {
    Json bytes = Json::array();
    for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
    target["bytes"] = bytes;
  }
  return target;
}

Json tokens_json(const Explanation& e) {
  Json tokens = Json::array();
  for (std::size_t t = 0; t < e.ids.size(); ++t) {
    tokens.push_back(text_json({{"id", e.ids[t]}}, e.token_texts[t]));
  }
  return tokens;
}

Json word_json(const Explanation& e) {
  Json word = {{"text", e.word}, {"first_token", e.first_token}, {"token", e.token}};
  if (!e.word_reason.empty()) word["chosen_because"] = e.word_reason;
  return word;
}

Json proof_json(const Proof& proof) {
  Json stages = Json::array();
  for (const StageProof& stage : proof.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"largest_difference", static_cast<float>(stage.largest_difference)},
                      {"largest_value", static_cast<float>(stage.largest_value)}});
  }
  Json invariants = Json::array();
  for (const InvariantProof& invariant : proof.invariants) {
    invariants.push_back({{"invariant", invariant.invariant},
                          {"holds", invariant.holds},
                          {"measured", invariant.measured}});
  }
  return {{"reference", "float64"}, {"stages", stages}, {"invariants", invariants}};
}

Json guesses_json(const Explanation& e) {
  Json guesses = Json::array();
  for (const Guess& guess : e.guesses) {
    guesses.push_back(text_json(
        {{"id", guess.id}, {"probability", static_cast<float>(guess.probability)}}, guess.text));
  }
  return guesses;
}

}  // namespace

std::string explanation_to_json(const Explanation& e) {
  const LayerTrace& layer = e.trace.layers[static_cast<std::size_t>(e.head.layer)];
  Json json;
  json["text"] = e.text;
  json["tokens"] = tokens_json(e);
  json["word"] = word_json(e);
  json["layer"] = e.head.layer;
  json["head"] = e.head.head;
  if (!e.head_reason.empty()) json["head_chosen_because"] = e.head_reason;
  json["effective_words"] = static_cast<float>(e.effective_words);
  json["softmax_scale"] = static_cast<float>(e.head.softmax_scale);
  json["mask"] = "causal";
  json["token_embedding"] = rows_of(e.trace.token_embedding);
  json["position_embedding"] = rows_of(e.trace.position_embedding);
  json["embedding"] = rows_of(e.trace.embedding);
  json["query"] = rows_of(e.head.query);
  json["key"] = rows_of(e.head.key);
  json["value"] = rows_of(e.head.value);
  json["scores"] = rows_of(e.head.scores);
  json["weights"] = rows_of(e.head.weights);
  json["context"] = rows_of(e.head.context);
  json["write"] = rows_of(e.head.write);
  json["layer_weights"] = Json::array();
  for (const Matrix& weights : e.layer_weights) json["layer_weights"].push_back(rows_of(weights));
  json["joined"] = rows_of(layer.context);
  json["attention_out"] = rows_of(layer.attention_out);
  json["residual_in"] = rows_of(layer.residual_in);
  json["residual_mid"] = rows_of(layer.residual_mid);
  json["residual_out"] = rows_of(layer.residual_out);
  json["next"] = guesses_json(e);
  json["proof"] = proof_json(e.proof);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace limelight
