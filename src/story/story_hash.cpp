#include "story/story_hash.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

namespace limelight {

std::string story_hash(const Transformer& model, const Story& story, std::int64_t layer,
                       std::int64_t head, std::optional<Bug> bug) {
  const auto parameters = model.parameters();
  const XXH128_hash_t of_parameters =
      XXH3_128bits(parameters.data(), parameters.size() * sizeof(float));
  const TransformerConfig& c = model.config();
  // Lengths before texts, so that no two stories spell the same bytes.
  std::string options = fmt::format(
      "{:016x}{:016x} {} {} {} {} {} {} {} {} {} {} text {} {} token {} to {} layer {} head {}",
      of_parameters.high64, of_parameters.low64, c.vocab_size, c.context_length, c.num_layers,
      c.num_heads, c.width, c.inner_width, c.layer_norm_epsilon, static_cast<int>(c.gelu),
      c.tied_output, c.bias, story.text.size(), story.text, story.first_token, story.token, layer,
      head);
  if (bug) options += fmt::format(" bug {}", known_bug(*bug).name);
  const XXH128_hash_t hash = XXH3_128bits(options.data(), options.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace limelight
