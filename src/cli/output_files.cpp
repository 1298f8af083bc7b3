#include "cli/output_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "cli/command.h"

namespace limelight::cli {

void OutputFiles::add(const std::filesystem::path& path, Preparation prepared) {
  std::error_code error;
  auto place = std::filesystem::weakly_canonical(path, error);
  if (error) place = path;
  if (std::ranges::find(paths_, place) != paths_.end()) {
    throw Mistake(
        fmt::format("{}: two outputs are to be written there; give each a path of its own",
                    printable_path(path)));
  }
  prepared_.push_back(value_or_mistake(std::move(prepared)));
  paths_.push_back(std::move(place));
}

void OutputFiles::place_all() {
  for (const auto& output : prepared_) value_or_mistake(output->place());
  prepared_.clear();
}

}  // namespace limelight::cli
