#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/output_files.h"
#include "story/story.h"

namespace limelight::cli {

/// The files in which a story is to be kept; "" for those not asked for.
struct StoryFiles {
  std::string svg;
  std::string figure = "matrix";
  std::string csv;  ///< a folder
  std::string notebook;

  bool any() const { return !svg.empty() || !csv.empty() || !notebook.empty(); }
};

/// Adds --svg, --figure, --csv and --notebook to a command.
void add_story_file_options(CLI::App& command, const std::shared_ptr<StoryFiles>& files);

/// Adds what was asked for to the command's outputs. Throws Mistake for what cannot be written.
void prepare_story_files(const StoryFiles& files, const Story& story, OutputFiles& outputs);

}  // namespace limelight::cli
