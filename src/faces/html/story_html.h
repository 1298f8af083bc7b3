#pragma once

#include <string>

#include "story/story.h"

namespace limelight {

/// A story as one HTML file that opens from disk, without a network: twelve steps, walked with the
/// arrow keys, in which every cell opens into what made it. The numbers are the story's own, as
/// story_to_json writes them; the page draws them and computes none anew. Text of the story is
/// shown as text, whatever it holds.
std::string story_to_html(const Story& story);

}  // namespace limelight
