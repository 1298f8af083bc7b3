#pragma once

#include <limelight/result.h>
#include <limelight/tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prepared_output.h"

namespace limelight {

class MappedFile;

/// A safetensors file, mapped into memory and checked as a whole before any tensor is handed out:
/// the header's length, its JSON, every dtype, shape and byte range (no overlap, no hole, nothing
/// beyond the file). Views stay valid while the SafetensorsFile lives. Immutable; safe from several
/// threads. Format: https://github.com/huggingface/safetensors
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::filesystem::path& path);
  /// The same checks on bytes in memory, which must outlive the result. `name` appears in messages.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, std::string name);

  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  /// Sorted names.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const;
  /// A contiguous view (possibly unaligned bytes are copied to aligned memory on first use).
  /// Fails when there is no such tensor, naming the file and the closest names it has.
  Result<ConstTensorView> tensor(std::string_view name) const;
  /// "__metadata__"
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct State;
  explicit SafetensorsFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One tensor to be written; the view must be contiguous.
struct NamedTensor {
  std::string name;
  ConstTensorView view;
};

/// Writes a safetensors file that is either there complete or not at all (see
/// write_file_atomically).
Status write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                         const std::map<std::string, std::string>& metadata = {});
/// The same, but for putting it in place.
Preparation prepare_safetensors(const std::filesystem::path& path,
                                const std::vector<NamedTensor>& tensors,
                                const std::map<std::string, std::string>& metadata = {});

}  // namespace limelight
