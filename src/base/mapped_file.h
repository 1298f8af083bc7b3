#pragma once

#include <limelight/result.h>

#include <cstddef>
#include <filesystem>
#include <span>

namespace limelight {

/// A regular file mapped into memory, read only. The bytes stay valid while this lives, also when
/// the file is replaced or removed meanwhile (write_file_atomically does both safely). A file that
/// another program shortens in place while it is mapped ends this one with SIGBUS, as with every
/// mapping.
class MappedFile {
 public:
  /// Fails when the path is missing, not a regular file or not readable.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// Starts at a page boundary; empty for an empty file.
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace limelight
