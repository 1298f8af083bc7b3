#pragma once

#include <limelight/result.h>

#include <filesystem>
#include <string_view>

namespace limelight {

/// "cannot read /data/x: No such file or directory; check the path": what a system call's error
/// number means for the person who named the file. `doing` is "read", "write", ...
Failure file_failure(std::string_view doing, const std::filesystem::path& path, int error_number);

}  // namespace limelight
