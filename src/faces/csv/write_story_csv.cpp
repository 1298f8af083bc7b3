// The folder of a story's tables: whole, or as it was.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "base/atomic_file.h"
#include "base/printable.h"
#include "faces/csv/story_csv.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;

/// A folder that is removed with what is in it, unless it was moved away.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Failure cannot(const char* what, const fs::path& path, const std::string& why) {
  return {fmt::format("{}: {}: {}", printable_path(path), what, why)};
}

/// The names of the files that tables.csv names, story.csv and itself.
Result<std::set<std::string>> files_named_in(const fs::path& folder) {
  const auto contents = read_whole_file(folder / "tables.csv", std::size_t{1} << 20);
  if (!contents) return contents.failure();
  std::set<std::string> names = {"story.csv", "tables.csv"};
  for (std::size_t at = 0; at < contents->size();) {
    const std::size_t end = std::min(contents->find("\r\n", at), contents->size());
    names.insert(contents->substr(at, contents->find(',', at) - at));
    at = end + 2;
  }
  return names;
}

/// Whether the folder may be replaced: it is empty, or all of it was written here.
Status check_replaceable(const fs::path& folder) {
  std::error_code error;
  if (fs::is_empty(folder, error) && !error) return success();
  const auto names =
      error ? Result<std::set<std::string>>(Failure{error.message()}) : files_named_in(folder);
  bool ours = names.ok();
  if (ours) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      ours = ours && entry.is_regular_file(error) && names->contains(entry.path().filename());
    }
  }
  if (ours && !error) return success();
  return cannot("is there and holds other files", folder,
                "name a new folder, or one that tables were written to");
}

Status move_into_place(const fs::path& from, const fs::path& to, bool replaces) {
  // An exchange: there is no moment in which neither folder is there.
  const unsigned flags = replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return success();
  return cannot("cannot be put in place", to, std::strerror(errno));
}

/// A folder with all of its files, in a temporary one beside where it belongs.
class PreparedFolder final : public PreparedOutput {
 public:
  PreparedFolder(fs::path beside, fs::path target, bool replaces)
      : beside_(std::move(beside)), target_(std::move(target)), replaces_(replaces) {}

  /// mkdtemp's own folder is its owner's alone; one made in it has the permissions of any new one.
  fs::path contents() const { return beside_.path() / "tables"; }

  Status place() override { return move_into_place(contents(), target_, replaces_); }

 private:
  TemporaryFolder beside_;
  fs::path target_;
  bool replaces_;
};

}  // namespace

Status write_story_csv(const fs::path& folder, const Story& story) {
  return place(prepare_story_csv(folder, story));
}

Preparation prepare_story_csv(const fs::path& given, const Story& story) {
  // "tables/" names the same folder as "tables".
  const fs::path folder = given.has_filename() ? given : given.parent_path();
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  const bool exists = fs::exists(status);
  if (exists && !fs::is_directory(status)) {
    return cannot("is there and no folder", folder, "name a folder to be made");
  }
  if (exists) {
    if (Status fine = check_replaceable(folder); !fine) return fine.failure();
  }
  std::string pattern = (folder.parent_path() / ".limelight-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return cannot("cannot be made", folder, std::strerror(errno));
  }
  auto prepared = std::make_unique<PreparedFolder>(pattern, folder, exists);
  const fs::path tables = prepared->contents();
  if (!fs::create_directory(tables, error))
    return cannot("cannot be made", folder, error.message());
  for (const CsvFile& file : story_to_csv(story)) {
    if (Status written = write_file_atomically(tables / file.name, file.text); !written) {
      return written.failure();
    }
  }
  return std::unique_ptr<PreparedOutput>(std::move(prepared));
}

}  // namespace limelight
