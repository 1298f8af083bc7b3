#pragma once

#include <limelight/result.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limelight {

using TokenId = std::int32_t;

/// Byte-level byte-pair encoding as GPT-2 does it (Sennrich et al. 2016; Radford et al. 2019): text
/// is split into pieces by a regular expression, a piece's bytes are merged pair by pair in the
/// order in which the pairs were learned. Any bytes encode, also invalid UTF-8, and decode to
/// themselves. Immutable after construction; safe to use from several threads at once.
class Tokenizer {
 public:
  struct TrainingOptions {
    int vocab_size = 4096;  ///< 256 bytes + merges + the special tokens
    std::vector<std::string> special_tokens = {"<|endoftext|>"};
    /// Called now and then with the merges learned so far and the merges wanted.
    std::function<void(int done, int total)> progress;
  };

  /// Learns merges from text. Ties between equally frequent pairs go to the pair with the smaller
  /// ids.
  static Result<Tokenizer> train(std::string_view text, const TrainingOptions& options);

  /// Reads `tokenizer.json` as Hugging Face's tokenizers library writes it for byte-level BPE.
  static Result<Tokenizer> from_file(const std::filesystem::path& tokenizer_json);
  static Result<Tokenizer> from_json(std::string_view json);
  /// Reads GPT-2's original pair of files.
  static Result<Tokenizer> from_vocab_and_merges(std::string_view vocab_json,
                                                 std::string_view merges_txt);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The whole tokenizer as the text of a `tokenizer.json`.
  std::string to_json() const;

  /// Special tokens written out in the text are ordinary text unless `parse_special`.
  std::vector<TokenId> encode(std::string_view text, bool parse_special = false) const;
  /// The bytes of the tokens, one after the other. Throws Error on an id outside the vocabulary.
  std::string decode(std::span<const TokenId> ids) const;
  /// The bytes of one token. Throws Error on an id outside the vocabulary.
  std::string_view bytes_of(TokenId id) const;

  int vocab_size() const;
  /// The id of a special token, -1 when there is none of that name.
  TokenId special_token(std::string_view name) const;
  /// The merges in the order learned, as pairs of ids.
  std::vector<std::pair<TokenId, TokenId>> merges() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace limelight
