#pragma once

#include "story/narrator.h"

namespace limelight {

// The twelve steps, in the order of the lesson. Each is a function of the run alone: what it says
// is computed from the story's trace. A step reads only tensors that tell_story has put there.

Step words_step(const Narrator& narrator);       ///< 1  words become numbers
Step similarity_step(const Narrator& narrator);  ///< 2  dot products of embeddings
Step shares_step(const Narrator& narrator);      ///< 3  softmax
Step mixing_step(const Narrator& narrator);      ///< 4  one context vector
Step everyone_step(const Narrator& narrator);    ///< 5  all of them as matrices
Step query_key_step(const Narrator& narrator);   ///< 6  query and key
Step scale_step(const Narrator& narrator);       ///< 7  the square root
Step mask_step(const Narrator& narrator);        ///< 8  the future hidden
Step value_step(const Narrator& narrator);       ///< 9  the value matrix
Step heads_step(const Narrator& narrator);       ///< 10 several heads, and what they write
Step change_step(const Narrator& narrator);      ///< 11 where the word went
Step proof_step(const Narrator& narrator);       ///< 12 proof and cost

/// After them, of a run that is wrong on purpose: what breaks, and what does not.
/// REQUIRES: the story has its damage.
Step wrong_step(const Narrator& narrator);

inline constexpr int kStepCount = 12;

}  // namespace limelight
