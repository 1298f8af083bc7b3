#pragma once

#include <string>

#include "story/story.h"

namespace limelight {

/// A name for a story: 32 hexadecimal digits of XXH3-128 over the model's configuration and
/// parameters, the text, the word, the layer and the head, and
/// the mistake made on purpose. Every face of one story shows the same.
std::string story_hash(const Transformer& model, const Story& story, std::int64_t layer,
                       std::int64_t head, std::optional<Bug> bug);

}  // namespace limelight
