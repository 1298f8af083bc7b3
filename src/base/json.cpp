#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace limelight {
namespace {

using nlohmann::json;

/// A pointer into the text that leaves word of how far the parser has read: its handler is not
/// told.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  TrackedIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  TrackedIterator operator++(int) {
    TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }
  bool operator!=(const TrackedIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

/// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." without
/// what our own message says in front of it.
std::string_view reason_in(std::string_view message) {
  for (const std::string_view prefix : {"] ", "parse error", ": "}) {
    const std::size_t at = message.find(prefix);
    if (at != std::string_view::npos) message.remove_prefix(at + prefix.size());
  }
  return message;
}

/// Builds the document value by value; returning false stops the parser.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(DuplicateKeys duplicates) : duplicates_(duplicates) {}

  bool null() { return place(nullptr) != nullptr; }
  bool boolean(bool value) { return place(value) != nullptr; }
  bool number_integer(json::number_integer_t value) { return place(value) != nullptr; }
  bool number_unsigned(json::number_unsigned_t value) { return place(value) != nullptr; }
  bool number_float(json::number_float_t value, const std::string&) {
    return place(value) != nullptr;
  }
  bool string(std::string& value) { return place(std::move(value)) != nullptr; }
  bool binary(json::binary_t&) { return stop("binary data is not JSON"); }

  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    if (duplicates_ == DuplicateKeys::refuse && open_.back()->contains(name)) {
      return stop(
          fmt::format("expected each key once in an object, found '{}' again", printable(name)));
    }
    member_ = &(*open_.back())[name];
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    return stop(printable(reason_in(error.what())));
  }

  const std::string& reason() const { return reason_; }
  json take() { return std::move(document_); }

 private:
  /// Puts a value where the document expects the next one, and returns its place.
  json* place(json value) {
    if (open_.empty()) {
      document_ = std::move(value);
      return &document_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool open(json container) {
    if (open_.size() == kMaxJsonDepth) {
      return stop(fmt::format("expected at most {} levels of nesting, found more", kMaxJsonDepth));
    }
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  bool stop(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  DuplicateKeys duplicates_;
  json document_;
  std::vector<json*>
      open_;                // the containers being filled, outermost first; only the last one grows
  json* member_ = nullptr;  // where the value of the last key goes
  std::string reason_;
};

Failure failure_at(std::string_view what, std::string_view text, std::size_t byte,
                   std::string_view reason) {
  const std::string_view before = text.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return Failure{fmt::format("{}: line {}, column {} (byte {}): {}; correct the JSON there",
                             printable_path(what), line, byte - line_start + 1, byte, reason)};
}

}  // namespace

Result<json> parse_json(std::string_view text, std::string_view what, DuplicateKeys duplicates) {
  // The parser takes a NUL for the end of its input and would accept anything behind it.
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) return failure_at(what, text, nul, "found a NUL byte");

  const char* const begin = text.data();
  const char* furthest = begin;
  DocumentBuilder builder(duplicates);
  const bool complete = json::sax_parse(TrackedIterator(begin, &furthest),
                                        TrackedIterator(begin + text.size(), &furthest), &builder);
  if (complete) return builder.take();
  // The parser has read the byte that it stopped at.
  const auto read = static_cast<std::size_t>(furthest - begin);
  return failure_at(what, text, read == 0 ? 0 : read - 1, builder.reason());
}

}  // namespace limelight
