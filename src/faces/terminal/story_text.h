#pragma once

#include <optional>
#include <string>

#include "faces/terminal/style.h"
#include "story/story.h"

namespace limelight {

/// How much of a story a terminal is told.
struct StoryTextOptions {
  std::optional<int> step;  ///< that step alone, from 1
  bool brief = false;       ///< each step in its question, its formula and where it falls short
};

/// The first telling of a story as text that fits the style's width. REQUIRES: the step exists.
std::string story_to_text(const Story& story, const StoryTextOptions& options,
                          const TerminalStyle& style);

}  // namespace limelight
