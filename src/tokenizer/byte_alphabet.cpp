#include "tokenizer/byte_alphabet.h"

#include <array>

namespace limelight {
namespace {

// The largest code point of the alphabet is U+0143.
constexpr int kCodePoints = 256 + 68;

struct Alphabet {
  std::array<int, 256> code_point_of{};
  std::array<int, kCodePoints> byte_of{};  ///< -1 where there is none

  constexpr Alphabet() {
    byte_of.fill(-1);
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool visible =
          (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      const int code_point = visible ? byte : next++;
      code_point_of[static_cast<std::size_t>(byte)] = code_point;
      byte_of[static_cast<std::size_t>(code_point)] = byte;
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const int code_point = kAlphabet.code_point_of[static_cast<unsigned char>(c)];
    if (code_point < 0x80) {
      text += static_cast<char>(code_point);
    } else {
      text += static_cast<char>(0xc0 | (code_point >> 6));
      text += static_cast<char>(0x80 | (code_point & 0x3f));
    }
  }
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    int code_point = first;
    if (first >= 0x80) {
      const bool two = (first & 0xe0) == 0xc0 && i + 1 < text.size() &&
                       (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80;
      if (!two) return std::nullopt;
      code_point = ((first & 0x1f) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3f);
      if (code_point < 0x80) return std::nullopt;
    }
    if (code_point >= kCodePoints || kAlphabet.byte_of[static_cast<std::size_t>(code_point)] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(kAlphabet.byte_of[static_cast<std::size_t>(code_point)]);
  }
  return bytes;
}

}  // namespace limelight
