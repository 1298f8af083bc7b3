#include "faces/comparison_json.h"

#include "faces/comparison_data.h"

namespace limelight {
namespace {

FaceJson nearest_json(const std::vector<NearWord>& words) {
  FaceJson nearest = FaceJson::array();
  for (const NearWord& near : words) {
    nearest.push_back(text_json({{"cosine", number_json(near.cosine)}}, near.text));
  }
  return nearest;
}

FaceJson contributions_json(const ComparedText& text) {
  FaceJson contributions = FaceJson::array();
  for (const WordContribution& from : text.contributions) {
    contributions.push_back({{"token", from.token},
                             {"weight", number_json(from.weight)},
                             {"write_length", number_json(from.write_length)},
                             {"share", number_json(from.share)}});
  }
  return contributions;
}

FaceJson text_of(const ComparedText& text, std::size_t index) {
  FaceJson points = FaceJson::array();
  for (const PlanePoint& point : text.points) {
    points.push_back({{"x", number_json(point.x)}, {"y", number_json(point.y)}});
  }
  return {{"name", text_letter(index)},
          {"text", text.text},
          {"tokens", tokens_json(text.ids, text.token_texts)},
          {"word", {{"text", text.word}, {"first_token", text.first_token}, {"token", text.token}}},
          {"token_row_length", number_json(text.token_row_length)},
          {"position_row_length", number_json(text.position_row_length)},
          {"vectors", rows_json(text.path)},
          {"effective_words", number_json(text.effective_words)},
          {"contributions", contributions_json(text)},
          {"nearest",
           {{"before", nearest_json(text.nearest_before)},
            {"after", nearest_json(text.nearest_after)}}},
          {"points", points}};
}

FaceJson matrix_json(const Matrix64& matrix) {
  FaceJson rows = FaceJson::array();
  for (std::int64_t i = 0; i < matrix.rows; ++i) {
    FaceJson row = FaceJson::array();
    for (const double value : matrix.row(i)) row.push_back(number_json(value));
    rows.push_back(std::move(row));
  }
  return rows;
}

FaceJson proof_json(const Comparison& comparison) {
  FaceJson invariants = FaceJson::array();
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    for (const InvariantProof& invariant : comparison.texts[i].proof.invariants) {
      invariants.push_back({{"text", text_letter(i)},
                            {"invariant", invariant.invariant},
                            {"holds", invariant.holds},
                            {"measured", invariant.measured}});
    }
  }
  return {
      {"reference", "float64"}, {"holds", comparison.proof_holds()}, {"invariants", invariants}};
}

}  // namespace

FaceJson comparison_data(const Comparison& comparison) {
  FaceJson json;
  json["format"] = "limelight-comparison-1";
  json["hash"] = comparison.hash;
  json["model"] = model_json(comparison.model_name, comparison.config);
  json["word"] = {{"text", comparison.word}};
  if (!comparison.word_reason.empty()) json["word"]["chosen_because"] = comparison.word_reason;
  json["layer"] = comparison.layer;
  json["head"] = comparison.head;
  if (!comparison.reason.empty()) json["head_chosen_because"] = comparison.reason;
  json["depths"] = FaceJson::array();
  json["texts"] = FaceJson::array();
  json["cosines"] = FaceJson::array();
  for (std::int64_t depth = 0; depth < comparison.depths(); ++depth) {
    json["depths"].push_back(depth_name(depth));
    json["cosines"].push_back(matrix_json(comparison.cosines[static_cast<std::size_t>(depth)]));
  }
  for (std::size_t i = 0; i < comparison.texts.size(); ++i) {
    json["texts"].push_back(text_of(comparison.texts[i], i));
  }
  json["plane"] = {{"x_axis", comparison.x_axis},
                   {"y_axis", comparison.y_axis},
                   {"x_share", number_json(comparison.x_share)},
                   {"y_share", number_json(comparison.y_share)}};
  json["begins"] = comparison.begins;
  json["ends"] = comparison.ends;
  json["proof"] = proof_json(comparison);
  return json;
}

std::string comparison_to_json(const Comparison& comparison) {
  return one_line(comparison_data(comparison));
}

}  // namespace limelight
