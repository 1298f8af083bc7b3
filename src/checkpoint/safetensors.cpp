#include "checkpoint/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/mapped_file.h"
#include "base/printable.h"
#include "checkpoint/closest_names.h"
#include "checkpoint/safetensors_header.h"

namespace limelight {
namespace {

/// The bytes of a tensor that does not lie at a multiple of its element's size, copied on first
/// use.
struct AlignedCopy {
  std::once_flag once;
  AlignedBuffer<std::byte> bytes;
};

bool is_aligned(const std::byte* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) == 0;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += fmt::format("{}'{}'", list.empty() ? "" : ", ", printable(name));
  }
  return list;
}

/// The shape as a view has it. nullopt when a view cannot: too many axes, or sizes whose strides do
/// not fit in 63 bits (a shape like [0, 2^40, 2^40] takes no byte in the file).
std::optional<std::vector<std::int64_t>> view_sizes(const std::vector<std::uint64_t>& shape) {
  if (shape.size() > static_cast<std::size_t>(kMaxRank)) return std::nullopt;
  std::vector<std::int64_t> sizes;
  std::int64_t extent = 1;
  for (const std::uint64_t size : shape) {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    sizes.push_back(static_cast<std::int64_t>(size));
    if (__builtin_mul_overflow(extent, std::max<std::int64_t>(sizes.back(), 1), &extent)) {
      return std::nullopt;
    }
  }
  return sizes;
}

}  // namespace

// Immutable after construction but for `copies`, whose keys are immutable and whose values are each
// guarded by their once_flag.
struct SafetensorsFile::State {
  std::string name;
  std::optional<MappedFile> mapping;  // none when the bytes are the caller's
  std::span<const std::byte> bytes;
  SafetensorsHeader header;
  mutable std::map<std::string, AlignedCopy, std::less<>> copies;  // one for each unaligned tensor

  const std::byte* data_of(const SafetensorsEntry& entry) const {
    return bytes.data() + header.data_begin + entry.begin;
  }

  void prepare_copies() {
    for (const auto& [tensor, entry] : header.tensors) {
      if (!is_aligned(data_of(entry), entry.dtype)) copies.try_emplace(tensor);
    }
  }

  const std::byte* aligned_data_of(std::string_view tensor, const SafetensorsEntry& entry) const {
    const auto copy = copies.find(tensor);
    if (copy == copies.end()) return data_of(entry);
    std::call_once(copy->second.once, [&] {
      AlignedBuffer<std::byte> buffer(entry.end - entry.begin);
      if (!buffer.empty()) std::memcpy(buffer.data(), data_of(entry), buffer.size());
      copy->second.bytes = std::move(buffer);
    });
    return copy->second.bytes.data();
  }
};

SafetensorsFile::SafetensorsFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  auto mapping = MappedFile::open(path);
  if (!mapping) return mapping.failure();
  auto file = parse(mapping->bytes(), path.string());
  if (file) file->state_->mapping = std::move(*mapping);
  return file;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::string name) {
  auto header = parse_safetensors_header(bytes, name);
  if (!header) return header.failure();
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->bytes = bytes;
  state->header = std::move(*header);
  state->prepare_copies();
  return SafetensorsFile(std::move(state));
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  names.reserve(state_->header.tensors.size());
  for (const auto& [name, entry] : state_->header.tensors) names.push_back(name);
  return names;
}

bool SafetensorsFile::contains(std::string_view name) const {
  return state_->header.tensors.contains(name);
}

Result<ConstTensorView> SafetensorsFile::tensor(std::string_view name) const {
  const auto found = state_->header.tensors.find(name);
  if (found == state_->header.tensors.end()) {
    const auto closest = closest_names(name, names());
    return Failure{fmt::format("{}: expected a tensor '{}', found none of that name; {}",
                               printable_path(state_->name), printable(name),
                               closest.empty() ? "the file has no similar name"
                                               : "the closest are " + quoted_list(closest))};
  }
  const SafetensorsEntry& entry = found->second;
  const auto sizes = view_sizes(entry.shape);
  if (!sizes) {
    return Failure{
        fmt::format("{}: tensor '{}': expected at most {} axes and 2^63 elements, found "
                    "a shape of {} axes; reshape it before it is written",
                    printable_path(state_->name), printable(name), kMaxRank, entry.shape.size())};
  }
  return ConstTensorView(state_->aligned_data_of(name, entry), entry.dtype, *sizes);
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return state_->header.metadata;
}

}  // namespace limelight
