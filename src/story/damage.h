#pragma once

#include <span>

#include "story/story.h"

namespace limelight {

/// Runs the model right on the same ids, keeping what `selection` says, and both models on two
/// changed texts: another last word, and the words before the last reversed.
Damage measure_damage(const LoadedModel& model, const WrongModel& wrong,
                      std::span<const TokenId> ids, const TraceSelection& selection, int guesses);

}  // namespace limelight
