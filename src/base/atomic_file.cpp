#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "base/file_descriptor.h"
#include "base/file_failure.h"
#include "base/printable.h"

namespace limelight {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call

/// A file that is removed when this goes out of scope, unless it was renamed to where it belongs.
class TemporaryFile {
 public:
  /// Beside `target`, since a rename does not cross file systems; under a name that nobody has.
  /// A new file has `mode` less the process's umask.
  static Result<TemporaryFile> create_beside(const fs::path& target, mode_t mode) {
    std::random_device random;
    for (;;) {
      const auto name = fmt::format(".limelight-{:08x}{:08x}.tmp", random(), random());
      fs::path path = target.parent_path() / name;
      FileDescriptor file(
          ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
      if (file.ok()) return TemporaryFile(std::move(path), std::move(file));
      if (errno != EEXIST && errno != EINTR) return file_failure("write", target, errno);
    }
  }

  TemporaryFile(TemporaryFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  bool set_permissions(mode_t mode) { return ::fchmod(file_.number(), mode) == 0; }

  bool write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t wanted = std::min(bytes.size(), kLargestTransfer);
      const ssize_t written = ::write(file_.number(), bytes.data(), wanted);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
  }

  bool synchronize_and_close() {
    while (::fsync(file_.number()) != 0) {
      if (errno != EINTR) return false;
    }
    return file_.close();
  }

  bool rename_to(const fs::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) return false;
    path_.clear();
    return true;
  }

 private:
  TemporaryFile(fs::path path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  fs::path path_;
  FileDescriptor file_;
};

/// Where a rename has to go so that a symbolic link keeps pointing at what was written.
fs::path follow_links(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return path;
  fs::path target = fs::canonical(path, error);
  return error ? path : target;
}

/// The permissions of the file that will be replaced, if there is one; fails where it must not be.
Result<std::optional<mode_t>> permissions_to_keep(const fs::path& target) {
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::optional<mode_t>();
    return file_failure("write", target, errno);
  }
  if (S_ISDIR(status.st_mode)) return file_failure("write", target, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    return Failure{fmt::format(
        "cannot write {}: it is a pipe or a device, which a rename would destroy; give the path of "
        "a regular file",
        printable_path(target))};
  }
  // A rename asks the folder alone; whoever made the file read-only meant the file.
  if (::faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0)
    return file_failure("write", target, errno);
  return std::optional<mode_t>(status.st_mode & 0777);
}

/// Makes the rename itself survive a power cut.
Status synchronize_folder(const fs::path& target) {
  const fs::path folder = target.parent_path().empty() ? fs::path(".") : target.parent_path();
  const FileDescriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.ok()) return success();  // a folder one may write to but not list
  while (::fsync(handle.number()) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOTSUP) return success();  // the file system has no such thing
    return Failure{file_failure("synchronise", folder, errno).message +
                   "; the new file is in place, but a power cut now may bring back the old one"};
  }
  return success();
}

Result<std::string> read_to_the_end(int file, const fs::path& path, std::size_t limit,
                                    std::size_t expected_size) {
  std::string text;
  text.reserve(expected_size);
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const ssize_t count = ::read(file, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_failure("read", path, errno);
    if (count == 0) return text;
    if (text.size() + static_cast<std::size_t>(count) > limit) {
      return Failure{fmt::format("cannot read {}: expected at most {} bytes, found more",
                                 printable_path(path), limit)};
    }
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

/// A temporary file with all of its bytes on the disk.
class PreparedFile final : public PreparedOutput {
 public:
  PreparedFile(fs::path path, fs::path target, TemporaryFile file)
      : path_(std::move(path)), target_(std::move(target)), file_(std::move(file)) {}

  Status place() override {
    if (!file_.rename_to(target_)) return file_failure("write", path_, errno);
    return synchronize_folder(target_);
  }

 private:
  fs::path path_;    ///< as it was given, for messages
  fs::path target_;  ///< where its links lead
  TemporaryFile file_;
};

}  // namespace

Preparation prepare_file(const fs::path& path, std::span<const std::span<const std::byte>> pieces) {
  const fs::path target = follow_links(path);
  const auto permissions = permissions_to_keep(target);
  if (!permissions) return permissions.failure();
  // With the old file's permissions from the start: a secret must not be readable for a moment.
  auto temporary = TemporaryFile::create_beside(target, permissions->value_or(0666));
  if (!temporary) return temporary.failure();
  if (permissions->has_value() && !temporary->set_permissions(**permissions)) {
    return file_failure("write", path, errno);
  }
  for (const auto piece : pieces) {
    if (!temporary->write(piece)) return file_failure("write", path, errno);
  }
  if (!temporary->synchronize_and_close()) return file_failure("write", path, errno);
  return std::unique_ptr<PreparedOutput>(
      std::make_unique<PreparedFile>(path, target, std::move(*temporary)));
}

Preparation prepare_file(const fs::path& path, std::string_view text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(text));
  return prepare_file(path, std::span(&piece, 1));
}

Status write_file_atomically(const fs::path& path,
                             std::span<const std::span<const std::byte>> pieces) {
  return place(prepare_file(path, pieces));
}

Status write_file_atomically(const fs::path& path, std::string_view text) {
  return place(prepare_file(path, text));
}

Result<std::string> read_whole_file(const fs::path& path, std::size_t limit) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return file_failure("read", path, errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return file_failure("read", path, errno);
  if (S_ISDIR(status.st_mode)) return file_failure("read", path, EISDIR);
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (size > limit) {
    return Failure{fmt::format("cannot read {}: expected at most {} bytes, found {}",
                               printable_path(path), limit, size)};
  }
  return read_to_the_end(file.number(), path, limit, size);
}

}  // namespace limelight
