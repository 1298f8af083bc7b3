#pragma once

#include <limelight/result.h>

#include <nlohmann/json.hpp>
#include <string_view>

namespace limelight {

/// How deep arrays and objects may nest. What walks a document afterwards may recurse.
inline constexpr int kMaxJsonDepth = 64;

/// JSON itself leaves open what two equal keys in one object mean.
enum class DuplicateKeys {
  last_wins,
  refuse,
};

/// One JSON document (RFC 8259) from untrusted text. Never throws on any text. `what` names the
/// text in messages, which give line, column and byte: "config.json: line 3, column 9 (byte 41):
/// ...". Refused besides ill-formed JSON: nesting beyond kMaxJsonDepth, a NUL byte anywhere,
/// numbers beyond double, and, when asked, duplicate keys. A byte-order mark at the start is
/// skipped.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view what,
                                  DuplicateKeys duplicates = DuplicateKeys::last_wins);

}  // namespace limelight
