#pragma once

#include <limelight/result.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/prepared_output.h"

namespace limelight {

/// Replaces `path` by the given pieces, one after the other, so that whoever looks, also after a
/// crash or a power cut, finds either the old file or the whole new one: a temporary file beside
/// it, fsync, rename, fsync of the folder. On failure the temporary file is removed and `path` is
/// as it was. A new file gets the permissions that the umask leaves, a replaced one keeps its own;
/// a symbolic link stays one; a read-only file, a folder, a pipe or a device is refused. A process
/// that is killed midway may leave `.limelight-*.tmp` behind, which can be deleted. Safe from
/// several threads and processes: the last rename wins.
Status write_file_atomically(const std::filesystem::path& path,
                             std::span<const std::span<const std::byte>> pieces);
Status write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// The first half of write_file_atomically: all but the rename, which place() does.
Preparation prepare_file(const std::filesystem::path& path,
                         std::span<const std::span<const std::byte>> pieces);
Preparation prepare_file(const std::filesystem::path& path, std::string_view text);

/// The whole file, or why it cannot be read (missing, a folder, no permission, over `limit` bytes).
Result<std::string> read_whole_file(const std::filesystem::path& path,
                                    std::size_t limit = std::size_t{1} << 31);

}  // namespace limelight
