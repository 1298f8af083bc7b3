#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.h"
#include "base/printable.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"

namespace limelight {
namespace {

/// Largest elements first, so that every tensor begins at a multiple of its element's size once the
/// first one does; within a size, the order in which the format's own library writes.
constexpr std::array kWritingOrder = {
    DType::u64,     DType::i64,     DType::f64, DType::f32, DType::u32,
    DType::i32,     DType::bf16,    DType::f16, DType::u16, DType::i16,
    DType::f8_e4m3, DType::f8_e5m2, DType::i8,  DType::u8,  DType::boolean,
};

std::size_t writing_rank(DType dtype) {
  return static_cast<std::size_t>(std::find(kWritingOrder.begin(), kWritingOrder.end(), dtype) -
                                  kWritingOrder.begin());
}

bool is_contiguous(const ConstTensorView& view) {
  if (view.elements() == 0) return true;
  std::int64_t stride = 1;
  for (int axis = view.rank() - 1; axis >= 0; --axis) {
    if (view.size(axis) != 1 && view.stride(axis) != stride) return false;
    stride *= view.size(axis);
  }
  return true;
}

std::size_t bytes_of(const ConstTensorView& view) {
  return static_cast<std::size_t>(view.elements()) * size_of(view.dtype());
}

void check(const std::vector<NamedTensor>& tensors) {
  std::set<std::string_view> names;
  for (const auto& [name, view] : tensors) {
    const auto refuse = [&tensor = name](std::string_view problem) {
      throw Error(fmt::format("tensors: '{}': {}", printable(tensor), problem));
    };
    if (name == kSafetensorsMetadata) refuse("expected a tensor's name, found the metadata's");
    if (!names.insert(name).second) refuse("expected each name once, found it again");
    if (view.raw() == nullptr && view.elements() != 0) refuse("expected data, found an empty view");
    if (!is_contiguous(view)) {
      refuse(fmt::format("expected a contiguous view of {}, found strides [{}]",
                         view.shape_string(), fmt::join(view.strides(), ", ")));
    }
  }
}

std::vector<const NamedTensor*> in_writing_order(const std::vector<NamedTensor>& tensors) {
  std::vector<const NamedTensor*> order;
  order.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return std::pair(writing_rank(a->view.dtype()), std::string_view(a->name)) <
           std::pair(writing_rank(b->view.dtype()), std::string_view(b->name));
  });
  return order;
}

/// The header's JSON, padded with spaces so that the data behind it begins at a multiple of 8.
std::string header_text(const std::vector<const NamedTensor*>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kSafetensorsMetadata)] = metadata;
  std::size_t offset = 0;
  for (const NamedTensor* tensor : tensors) {
    const std::size_t end = offset + bytes_of(tensor->view);
    const auto sizes = tensor->view.sizes();
    header[tensor->name] = {{"dtype", safetensors_name(tensor->view.dtype())},
                            {"shape", std::vector<std::int64_t>(sizes.begin(), sizes.end())},
                            {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("tensors, metadata: expected names and texts in UTF-8: {}",
                            printable(error.what())));
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxSafetensorsHeader) {
    throw Error(
        fmt::format("tensors, metadata: expected names and texts of at most {} bytes in "
                    "all, found {}",
                    kMaxSafetensorsHeader, text.size()));
  }
  return text;
}

}  // namespace

Status write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  return place(prepare_safetensors(path, tensors, metadata));
}

Preparation prepare_safetensors(const std::filesystem::path& path,
                                const std::vector<NamedTensor>& tensors,
                                const std::map<std::string, std::string>& metadata) {
  check(tensors);
  const auto order = in_writing_order(tensors);
  const std::string header = header_text(order, metadata);
  const std::uint64_t length = header.size();
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(&length, 1)),
                                                    std::as_bytes(std::span(header))};
  for (const NamedTensor* tensor : order) {
    pieces.emplace_back(static_cast<const std::byte*>(tensor->view.raw()), bytes_of(tensor->view));
  }
  return prepare_file(path, pieces);
}

}  // namespace limelight
