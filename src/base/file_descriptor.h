#pragma once

#include <unistd.h>

#include <utility>

namespace limelight {

/// A POSIX file descriptor that is closed when it goes out of scope. -1 is none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  bool ok() const { return number_ >= 0; }
  int number() const { return number_; }

  /// Closes now. False, with errno set, when the system reports a late write error. The descriptor
  /// is gone either way: after close() fails it may already be another file's.
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

}  // namespace limelight
