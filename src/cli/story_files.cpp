#include "cli/story_files.h"

#include "base/atomic_file.h"
#include "cli/command.h"
#include "faces/csv/story_csv.h"
#include "faces/notebook/story_notebook.h"
#include "faces/svg/story_svg.h"

namespace limelight::cli {

void add_story_file_options(CLI::App& command, const std::shared_ptr<StoryFiles>& files) {
  CLI::Option* svg =
      command
          .add_option("--svg", files->svg, "Also draw the weights, as an SVG file fit for a paper")
          ->type_name("FILE");
  command
      .add_option(
          "--figure", files->figure,
          "What --svg draws: matrix (the head's weights), heads (every head of the layer) or "
          "arcs (between words); default matrix")
      ->needs(svg)
      ->check(CLI::IsMember({"matrix", "heads", "arcs"}))
      ->type_name("FIGURE");
  command
      .add_option("--csv", files->csv,
                  "Also write every table of the twelve steps, a CSV file each")
      ->type_name("DIR");
  command
      .add_option(
          "--notebook", files->notebook,
          "Also write the steps as a Jupyter notebook that computes every number again with "
          "NumPy")
      ->type_name("FILE.ipynb");
}

void prepare_story_files(const StoryFiles& files, const Story& story, OutputFiles& outputs) {
  if (!files.svg.empty()) {
    const SvgFigure figure = svg_figure_named(files.figure).value();
    outputs.add(files.svg, prepare_file(files.svg, story_to_svg(story, figure)));
  }
  if (!files.notebook.empty()) {
    outputs.add(files.notebook, prepare_file(files.notebook, story_to_notebook(story)));
  }
  if (!files.csv.empty()) outputs.add(files.csv, prepare_story_csv(files.csv, story));
}

}  // namespace limelight::cli
