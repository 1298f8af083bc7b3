// Untrusted bytes as a tokenizer.json, and as text: what is read must encode, and any bytes that
// are encoded must come back.

#include <limelight/tokenizer.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

const limelight::Tokenizer& small_tokenizer() {
  static const limelight::Tokenizer tokenizer = [] {
    limelight::Tokenizer::TrainingOptions options;
    options.vocab_size = 290;
    return std::move(limelight::Tokenizer::train("the light of the lamp, the light bag, it's lit",
                                                 options))
        .value();
  }();
  return tokenizer;
}

void check_round_trip(const limelight::Tokenizer& tokenizer, std::string_view text) {
  for (const bool parse_special : {false, true}) {
    if (tokenizer.decode(tokenizer.encode(text, parse_special)) != text) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_round_trip(small_tokenizer(), bytes);
  if (const auto read = limelight::Tokenizer::from_json(bytes)) {
    check_round_trip(*read, "the light <|endoftext|> \xff\xf0");
  }
  return 0;
}
