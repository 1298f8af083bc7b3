#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/piece_splitter.h"

#include <limelight/error.h>
#include <pcre2.h>

#include <array>
#include <memory>
#include <utility>

#include "base/utf8.h"

namespace limelight {
namespace {

pcre2_code* compile(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (!code) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    throw Error("pattern: expected a regular expression, got an error at character " +
                std::to_string(offset) + ": " + reinterpret_cast<const char*>(message.data()));
  }
  // Where the JIT cannot be had, pcre2_match interprets.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return code;
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

PieceSplitter::PieceSplitter(const std::string& pattern)
    : code_(pattern.empty() ? nullptr : compile(pattern)) {}

PieceSplitter::PieceSplitter(PieceSplitter&& other) noexcept
    : code_(std::exchange(other.code_, nullptr)) {}

PieceSplitter::~PieceSplitter() { pcre2_code_free(static_cast<pcre2_code*>(code_)); }

void PieceSplitter::split(std::string_view text,
                          const std::function<void(std::string_view)>& piece) const {
  if (!code_) {
    if (!text.empty()) piece(text);
    return;
  }
  while (!text.empty()) {
    const std::size_t valid = find_invalid_utf8(text).value_or(text.size());
    split_valid(text.substr(0, valid), piece);
    text.remove_prefix(valid);
    std::size_t invalid = 0;
    while (invalid < text.size() && find_invalid_utf8(text.substr(invalid, 4)) == 0) ++invalid;
    if (invalid > 0) piece(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
}

void PieceSplitter::split_valid(std::string_view text,
                                const std::function<void(std::string_view)>& piece) const {
  auto* code = static_cast<pcre2_code*>(code_);
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(code, nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    int found =
        pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          match.get(), nullptr);
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    if (found <= 0 || range[1] == at) {
      piece(text.substr(at));
      return;
    }
    if (range[0] > at) piece(text.substr(at, range[0] - at));
    piece(text.substr(range[0], range[1] - range[0]));
    at = range[1];
  }
}

}  // namespace limelight
