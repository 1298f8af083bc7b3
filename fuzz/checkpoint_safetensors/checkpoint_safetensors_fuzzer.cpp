// A safetensors file of any bytes is refused in one line, or every byte of every tensor in it can
// be read, at an address fit for its dtype. The input's first byte chooses: an odd one puts a right
// length in front of the rest, so that damage reaches what lies behind the length.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace {

std::vector<std::byte> file_from(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> bytes;
  if (size == 0) return bytes;
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  if (data[0] % 2 == 1) {
    std::size_t end = size;  // the header ends behind the last brace
    while (end > 1 && data[end - 1] != '}') --end;
    const std::uint64_t length = end - 1;
    const auto* length_bytes = reinterpret_cast<const std::byte*>(&length);
    bytes.insert(bytes.end(), length_bytes, length_bytes + sizeof length);
  }
  bytes.insert(bytes.end(), begin + 1, begin + size);
  return bytes;
}

std::size_t bytes_of(const limelight::ConstTensorView& view) {
  return static_cast<std::size_t>(view.elements()) * limelight::size_of(view.dtype());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> bytes = file_from(data, size);
  const auto file = limelight::SafetensorsFile::parse(bytes, "fuzz");
  if (!file) {
    if (file.message().empty() || file.message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  std::size_t total = 0;
  for (const std::string& name : file->names()) {
    if (!file->contains(name)) std::abort();
    const auto tensor = file->tensor(name);
    if (!tensor) continue;  // more axes than a view has
    const std::vector<char> copy(static_cast<const char*>(tensor->raw()),
                                 static_cast<const char*>(tensor->raw()) + bytes_of(*tensor));
    total += copy.size();
    if (reinterpret_cast<std::uintptr_t>(tensor->raw()) % limelight::size_of(tensor->dtype())) {
      std::abort();
    }
  }
  if (total > bytes.size()) std::abort();
  if (file->tensor("no such name in any seed").ok() != file->contains("no such name in any seed")) {
    std::abort();
  }
  return 0;
}
