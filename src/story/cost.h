#pragma once

#include <span>

#include "story/story.h"

namespace limelight {

/// Runs the model on the ids once more with nobody looking, and the attention of one layer by
/// itself, and measures both, and the machine's multiply-add rate beside them.
Cost measure_cost(const Transformer& model, std::span<const std::int32_t> ids);

}  // namespace limelight
