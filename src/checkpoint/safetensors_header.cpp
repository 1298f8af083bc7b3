#include "checkpoint/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/printable.h"

namespace limelight {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "tensors are handed out as they lie in the file, which is little-endian");

constexpr std::array<std::pair<std::string_view, DType>, 15> kNames{{
    {"F64", DType::f64},
    {"F32", DType::f32},
    {"F16", DType::f16},
    {"BF16", DType::bf16},
    {"BOOL", DType::boolean},
    {"U8", DType::u8},
    {"I8", DType::i8},
    {"U16", DType::u16},
    {"I16", DType::i16},
    {"U32", DType::u32},
    {"I32", DType::i32},
    {"U64", DType::u64},
    {"I64", DType::i64},
    {"F8_E5M2", DType::f8_e5m2},
    {"F8_E4M3", DType::f8_e4m3},
}};

constexpr std::string_view kDamaged = "the file is damaged: download or write it again";

Failure file_says(std::string_view file, std::string_view problem) {
  return Failure{fmt::format("{}: {}; {}", printable_path(file), problem, kDamaged)};
}

Failure tensor_says(std::string_view file, std::string_view tensor, std::string_view problem) {
  return Failure{fmt::format("{}: tensor '{}': {}; {}", printable_path(file), printable(tensor),
                             problem, kDamaged)};
}

Result<std::string_view> header_text(std::span<const std::byte> bytes, std::string_view file) {
  if (bytes.size() < kSafetensorsLengthBytes) {
    return file_says(file, fmt::format("expected a safetensors file, which begins with an 8-byte "
                                       "length, found {} bytes in all",
                                       bytes.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxSafetensorsHeader) {
    return file_says(file,
                     fmt::format("expected a header of at most {} bytes, found a length of {} "
                                 "(is it a safetensors file?)",
                                 kMaxSafetensorsHeader, length));
  }
  const std::size_t available = bytes.size() - kSafetensorsLengthBytes;
  if (length > available) {
    return file_says(file, fmt::format("expected a header of {} bytes, found only {} (cut short)",
                                       length, available));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kSafetensorsLengthBytes,
                              length);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return file_says(file, "header: expected '{' first, found nothing");
  }
  if (text[first] != '{') {
    return file_says(file, fmt::format("header: expected '{{' first, found '{}'",
                                       printable(text.substr(first, 1))));
  }
  return text;
}

Result<std::map<std::string, std::string>> parse_metadata(const json& value,
                                                          std::string_view file) {
  std::map<std::string, std::string> metadata;
  if (value.is_null()) return metadata;
  if (!value.is_object()) {
    return file_says(file, fmt::format("{}: expected an object of texts, found {}",
                                       kSafetensorsMetadata, value.type_name()));
  }
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      return file_says(file, fmt::format("{}: '{}': expected a text, found {}",
                                         kSafetensorsMetadata, printable(key), text.type_name()));
    }
    metadata.emplace(key, text.get_ref<const std::string&>());
  }
  return metadata;
}

/// Whole, non-negative numbers below 2^64. nullopt for anything else.
std::optional<std::vector<std::uint64_t>> parse_numbers(const json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  numbers.reserve(value.size());
  for (const json& number : value) {
    if (!number.is_number_unsigned()) return std::nullopt;
    numbers.push_back(number.get<std::uint64_t>());
  }
  return numbers;
}

std::string known_dtypes() {
  std::string names;
  for (const auto& [name, dtype] : kNames) names.append(names.empty() ? "" : " ").append(name);
  return names;
}

Result<SafetensorsEntry> parse_entry(const json& value, std::string_view name,
                                     std::string_view file) {
  if (!value.is_object()) {
    return tensor_says(file, name,
                       fmt::format("expected an object with dtype, shape and "
                                   "data_offsets, found {}",
                                   value.type_name()));
  }
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!value.contains(key)) {
      return tensor_says(file, name, fmt::format("expected the key '{}', found none", key));
    }
  }
  const json& dtype_name = value["dtype"];
  const auto dtype = dtype_name.is_string()
                         ? dtype_from_safetensors_name(dtype_name.get_ref<const std::string&>())
                         : std::nullopt;
  if (!dtype) {
    return Failure{fmt::format(
        "{}: tensor '{}': dtype: expected one of {}, found {}; convert the tensor to one of them",
        printable_path(file), printable(name), known_dtypes(), printable(dtype_name.dump()))};
  }
  auto shape = parse_numbers(value["shape"]);
  if (!shape) {
    return tensor_says(file, name,
                       fmt::format("shape: expected a list of whole numbers, found {}",
                                   printable(value["shape"].dump())));
  }
  const auto offsets = parse_numbers(value["data_offsets"]);
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    return tensor_says(
        file, name,
        fmt::format("data_offsets: expected [begin, end] with begin <= end, found {}",
                    printable(value["data_offsets"].dump())));
  }
  return SafetensorsEntry{*dtype, std::move(*shape), (*offsets)[0], (*offsets)[1]};
}

/// nullopt when it needs 2^64 bytes or more. Multiplies in the order of the format's own library,
/// so that the two agree on shapes that overflow before they meet a zero.
std::optional<std::uint64_t> bytes_needed(const SafetensorsEntry& entry) {
  std::uint64_t product = 1;
  for (const std::uint64_t size : entry.shape) {
    if (__builtin_mul_overflow(product, size, &product)) return std::nullopt;
  }
  if (__builtin_mul_overflow(product, size_of(entry.dtype), &product)) return std::nullopt;
  return product;
}

Status check_size(const SafetensorsEntry& entry, std::string_view name, std::string_view file) {
  const auto needed = bytes_needed(entry);
  if (needed == entry.end - entry.begin) return success();
  return tensor_says(
      file, name,
      fmt::format("expected {} bytes for {} [{}], found data_offsets [{}, {}]",
                  needed ? std::to_string(*needed) : "2^64 or more", safetensors_name(entry.dtype),
                  printable(fmt::format("{}", fmt::join(entry.shape, ", "))), entry.begin,
                  entry.end));
}

/// In the order of their bytes each tensor begins where the one before ends, the first at 0 and the
/// last at the end of the file.
Status check_coverage(const SafetensorsHeader& header, std::uint64_t data_size,
                      std::string_view file) {
  std::vector<std::pair<const std::string*, const SafetensorsEntry*>> in_order;
  in_order.reserve(header.tensors.size());
  for (const auto& [name, entry] : header.tensors) in_order.emplace_back(&name, &entry);
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  std::uint64_t covered = 0;
  for (const auto& [name, entry] : in_order) {
    if (entry->begin != covered) {
      return tensor_says(
          file, *name,
          fmt::format("expected data_offsets to begin at {}, where the tensors "
                      "before it end, found {} ({})",
                      covered, entry->begin, entry->begin < covered ? "an overlap" : "a hole"));
    }
    covered = entry->end;
  }
  if (covered == data_size) return success();
  return file_says(
      file, fmt::format("expected {} bytes of tensors behind the header, found {} ({})", covered,
                        data_size, data_size < covered ? "cut short" : "bytes of no tensor"));
}

}  // namespace

std::string_view safetensors_name(DType dtype) {
  return std::find_if(kNames.begin(), kNames.end(),
                      [&](const auto& entry) { return entry.second == dtype; })
      ->first;
}

std::optional<DType> dtype_from_safetensors_name(std::string_view name) {
  for (const auto& [known, dtype] : kNames) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> bytes,
                                                   std::string_view file) {
  const auto text = header_text(bytes, file);
  if (!text) return text.failure();
  const auto document = parse_json(*text, fmt::format("{}: header", file), DuplicateKeys::refuse);
  if (!document) return document.failure();

  SafetensorsHeader header;
  header.data_begin = kSafetensorsLengthBytes + text->size();
  for (const auto& [name, value] : document->items()) {
    if (name == kSafetensorsMetadata) {
      auto metadata = parse_metadata(value, file);
      if (!metadata) return metadata.failure();
      header.metadata = std::move(*metadata);
      continue;
    }
    auto entry = parse_entry(value, name, file);
    if (!entry) return entry.failure();
    if (const Status status = check_size(*entry, name, file); !status) return status.failure();
    header.tensors.emplace(name, std::move(*entry));
  }
  const Status coverage = check_coverage(header, bytes.size() - header.data_begin, file);
  if (!coverage) return coverage.failure();
  return header;
}

}  // namespace limelight
