#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace limelight {

/// GPT-2's rule: contractions, words with the blank before them, numbers, signs, white space.
inline constexpr const char* kGpt2Pattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Cuts text into the pieces that merges do not cross, by a regular expression with Unicode
/// classes. The pieces joined are the text: what the expression does not match, and runs of bytes
/// that are not UTF-8, are pieces of their own. Immutable; safe to use from several threads.
class PieceSplitter {
 public:
  /// An empty pattern leaves the text in one piece. Throws Error on one that does not compile.
  explicit PieceSplitter(const std::string& pattern);
  PieceSplitter(PieceSplitter&& other) noexcept;
  PieceSplitter& operator=(PieceSplitter&&) = delete;
  ~PieceSplitter();

  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  void split_valid(std::string_view text, const std::function<void(std::string_view)>& piece) const;

  void* code_ = nullptr;  ///< pcre2_code; null for an empty pattern
};

}  // namespace limelight
