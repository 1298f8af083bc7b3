// The description of a saved trace of any bytes, beside two real tensors, is refused in one line,
// or gives a trace whose proof either ends or says which recipe cannot be followed.

#include <limelight/error.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trace/proof.h"
#include "trace/trace_file.h"

namespace {

/// A safetensors file of tensors x [2, 3] and y [3, 3] with this description.
std::vector<std::byte> file_with(const std::string& description) {
  constexpr std::size_t kX = 2 * 3 * sizeof(float);
  constexpr std::size_t kY = 3 * 3 * sizeof(float);
  const nlohmann::json header = {
      {"__metadata__", {{"limelight.trace", description}}},
      {"x", {{"dtype", "F32"}, {"shape", {2, 3}}, {"data_offsets", {0, kX}}}},
      {"y", {{"dtype", "F32"}, {"shape", {3, 3}}, {"data_offsets", {kX, kX + kY}}}}};
  const std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::uint64_t length = text.size();
  std::vector<std::byte> bytes(sizeof length + text.size() + kX + kY);
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, text.data(), text.size());
  for (std::size_t i = sizeof length + text.size(); i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(i * 37);
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> bytes =
      file_with(std::string(reinterpret_cast<const char*>(data), size));
  const auto file = limelight::SafetensorsFile::parse(bytes, "fuzz");
  if (!file) std::abort();
  const auto opened = limelight::read_trace(*file, "fuzz");
  if (!opened) {
    if (opened.message().empty() || opened.message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  try {
    const limelight::Proof proof = limelight::prove(opened->trace);
    if (proof.invariants.empty()) std::abort();
  } catch (const limelight::Error& error) {
    if (std::string(error.what()).empty()) std::abort();
  }
  return 0;
}
