#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "story/path_plane.h"
#include "story/steps/measures.h"
#include "story/steps/steps.h"

namespace limelight {
namespace {

PathPicture writes_path(const Narrator& n) {
  std::vector<PathStep> steps;
  for (std::int64_t h = 0; h < n.story.config.num_heads; ++h) {
    steps.push_back(
        {fmt::format("head {}", h), in_double(n.row(head_tensor(n.layer, h, "write")))});
  }
  if (const TraceTensor* bias = n.story.trace.find(n.of_layer("output_bias"))) {
    steps.push_back({"bias", in_double(bias->values.row(0))});
  }
  return lay_head_to_tail(
      "writes",
      fmt::format("What each head of layer {} wrote, laid head to tail from where {} was", n.layer,
                  n.word()),
      "before", in_double(n.row(n.of_layer("stream_in"))), steps);
}

FactTable along_the_layers(const Narrator& n) {
  const MatrixView path = n.values("stream_path");
  FactTable table = {"layers",
                     fmt::format("The vector of {} on its way through the model", n.word()),
                     {"length", "cosine with its embedding", "cosine with the one before"},
                     {}};
  for (std::int64_t depth = 0; depth < path.rows; ++depth) {
    const auto now = path.row(depth);
    const auto before = path.row(std::max<std::int64_t>(0, depth - 1));
    table.rows.push_back({depth == 0 ? "embedding" : fmt::format("after layer {}", depth - 1),
                          {length_of(now), cosine_of(now, path.row(0)), cosine_of(now, before)}});
  }
  return table;
}

std::string in_words(const std::vector<NearWord>& words) {
  std::string text;
  for (const NearWord& near : words) {
    text += fmt::format("{}“{}” {:.2f}", text.empty() ? "" : ", ", readable_token(near.text),
                        near.cosine);
  }
  return text;
}

/// Where the same word went in other texts: nearer to some than to others.
FactTable companions(const Narrator& n) {
  const MatrixView path = n.values("stream_path");
  FactTable table = {
      "companions",
      fmt::format("{} here and in other sentences: the cosine between its vectors", n.word()),
      {"embedding"},
      {}};
  for (std::int64_t depth = 1; depth < path.rows; ++depth) {
    table.columns.push_back(fmt::format("layer {}", depth - 1));
  }
  for (const CompanionRun& run : n.story.companions) {
    const std::string note = run.companion.note.empty() ? "" : run.companion.note + ": ";
    FactTable::Row row = {note + run.companion.text, {}};
    for (std::int64_t depth = 0; depth < path.rows; ++depth) {
      row.values.push_back(cosine_of(path.row(depth), MatrixView(run.path).row(depth)));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string what_companions_say(const Narrator& n) {
  const auto last = n.values("stream_path").rows - 1;
  const auto here = n.values("stream_path").row(last);
  const auto cosine = [&](const CompanionRun& run) {
    return cosine_of(here, MatrixView(run.path).row(last));
  };
  const auto [least, most] = std::ranges::minmax_element(n.story.companions, {}, cosine);
  const auto meaning = [](const CompanionRun& run) {
    return run.companion.note.empty() ? ""
                                      : fmt::format(", where it means “{}”", run.companion.note);
  };
  return fmt::format(
      "{} began in all of them with the same row of the table. After the last layer it lies "
      "nearest "
      "to where it went in “{}” (cosine {:.2f}){}, and farthest from “{}” ({:.2f}){}.",
      n.word(), most->companion.text, cosine(*most), meaning(*most), least->companion.text,
      cosine(*least), meaning(*least));
}

}  // namespace

Step change_step(const Narrator& n) {
  Step step = {11, "change", "What changed", fmt::format("Where did {} go?", n.word()), {}, ""};
  const auto before = n.row(n.of_layer("stream_in"));
  const auto after = n.row(n.of_layer("stream_mid"));
  step.blocks.push_back(Prose{fmt::format(
      "Nothing was replaced: what attention wrote is added to what {} was. It had length {}, the "
      "write has length {}, and the sum has length {}; the cosine between before and after is "
      "{:.4f}.",
      n.word(), number(length_of(before)), number(length_of(n.row(n.of_layer("attention_out")))),
      number(length_of(after)), cosine_of(before, after))});
  step.blocks.push_back(
      n.table("before", "Before this layer's attention", n.of_layer("stream_in")));
  step.blocks.push_back(n.table("after", "After it", n.of_layer("stream_mid")));
  step.blocks.push_back(writes_path(n));
  step.blocks.push_back(along_the_layers(n));
  step.blocks.push_back(Prose{fmt::format(
      "Of all {} rows of the token table, those that point most nearly the same way (by cosine) "
      "were, for the embedding: {}; and after the last layer: {}. A late layer's vector turns "
      "towards what comes next, so its neighbours are often guesses.",
      n.story.config.vocab_size, in_words(n.story.nearest_before),
      in_words(n.story.nearest_after))});
  if (!n.story.companions.empty()) {
    step.blocks.push_back(companions(n));
    step.blocks.push_back(Prose{what_companions_say(n)});
  }
  return step;
}

}  // namespace limelight
