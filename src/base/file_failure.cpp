#include "base/file_failure.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "base/printable.h"

namespace limelight {
namespace {

std::string_view what_to_do(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return "check the path";
    case EISDIR:
      return "give the path of a file, not of a folder";
    case EACCES:
    case EPERM:
      return "check the permissions of the file and its folder";
    case EROFS:
      return "choose a folder that can be written to";
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another disk";
    case EFBIG:
      return "raise the limit on file sizes (ulimit -f) or choose another disk";
    case EMFILE:
    case ENFILE:
      return "close some files or raise the limit (ulimit -n)";
    case ENOMEM:
      return "free some memory";
    default:
      return "check the disk";
  }
}

}  // namespace

Failure file_failure(std::string_view doing, const std::filesystem::path& path, int error_number) {
  return Failure{fmt::format("cannot {} {}: {}; {}", doing, printable_path(path),
                             std::generic_category().message(error_number),
                             what_to_do(error_number))};
}

}  // namespace limelight
