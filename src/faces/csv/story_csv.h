#pragma once

#include <limelight/result.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/prepared_output.h"
#include "story/story.h"

namespace limelight {

/// One CSV file: RFC 4180 in UTF-8, a header line first.
struct CsvFile {
  std::string name;  ///< "03_shares_scores.csv"
  std::string text;
};

/// Every table of the told steps, a file each, named by the step's number and id and the table's
/// id, and two more: story.csv (hash, model, text, word, layer, head) and tables.csv (which file is
/// what table of which step, its caption and tensor).
///
/// A tensor's file has a column for the token and its text, then one for each of its columns.
/// Floats have the fewest digits that read back the same; minus infinity is "-inf". A text that a
/// spreadsheet would take for a formula (it begins with = + - @, a tab or a return) gets an
/// apostrophe in front.
std::vector<CsvFile> story_to_csv(const Story& story);

/// Writes story_to_csv's files as the folder, which is there with all of them or as it was before.
/// Fails when the folder cannot be made, or is there and holds anything but what an earlier call
/// wrote (a tables.csv and the files that it names); such a folder is replaced.
Status write_story_csv(const std::filesystem::path& folder, const Story& story);
/// The same, but for putting it in place.
Preparation prepare_story_csv(const std::filesystem::path& folder, const Story& story);

}  // namespace limelight
