#include "story/story_hash.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

namespace limelight {

std::string hash_of_run(const Transformer& model, std::string_view options) {
  const auto parameters = model.parameters();
  const XXH128_hash_t of_parameters =
      XXH3_128bits(parameters.data(), parameters.size() * sizeof(float));
  const TransformerConfig& c = model.config();
  const std::string all = fmt::format(
      "{:016x}{:016x} {} {} {} {} {} {} {} {} {} {} {}", of_parameters.high64, of_parameters.low64,
      c.vocab_size, c.context_length, c.num_layers, c.num_heads, c.width, c.inner_width,
      c.layer_norm_epsilon, static_cast<int>(c.gelu), c.tied_output, c.bias, options);
  const XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string story_hash(const Transformer& model, const Story& story, std::int64_t layer,
                       std::int64_t head, std::optional<Bug> bug) {
  // Lengths before texts, so that no two stories spell the same bytes.
  std::string options = fmt::format("text {} {} token {} to {} layer {} head {}", story.text.size(),
                                    story.text, story.first_token, story.token, layer, head);
  if (bug) options += fmt::format(" bug {}", known_bug(*bug).name);
  return hash_of_run(model, options);
}

}  // namespace limelight
