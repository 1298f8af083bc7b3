#pragma once

#include <limelight/dtype.h>
#include <limelight/result.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

// The layout of a safetensors file:
//   8 bytes      the header's length N, an unsigned little-endian number
//   N bytes      JSON: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
//   ...,
//                "__metadata__": {"key": "text", ...}}
//   the rest     the tensors' bytes, little-endian; data_offsets count from here

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr std::size_t kSafetensorsLengthBytes = 8;
inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";

/// Where a tensor lies. After the checks: begin <= end, and end - begin is what dtype and shape
/// need.
struct SafetensorsEntry {
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< bytes from the start of the data
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry, std::less<>> tensors;
  std::map<std::string, std::string> metadata;
  std::size_t data_begin = 0;  ///< bytes from the start of the file
};

/// Reads and checks the whole header of the file with these bytes: the tensors cover the data from
/// its first to its last byte, without overlap or hole. `file` names it in messages.
Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> bytes,
                                                   std::string_view file);

/// "F32", "BF16", "BOOL", ...
std::string_view safetensors_name(DType dtype);
std::optional<DType> dtype_from_safetensors_name(std::string_view name);

}  // namespace limelight
