#pragma once

#include <limelight/tokenizer.h>

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/bpe_encoder.h"

namespace limelight {

/// What a tokenizer is made from. Invariants: ids are dense from 0; every byte has a token; every
/// merge's tokens exist, and the merged token's bytes are those of its halves.
struct Vocabulary {
  std::vector<std::string> bytes;  ///< of each token id; a special token's are its name
  std::vector<std::pair<std::string, TokenId>> special_tokens;
  std::vector<BpeEncoder::Merge> merges;
};

/// Reading and writing tokenizer.json and GPT-2's pair of files; all bytes are untrusted.
Result<Vocabulary> parse_tokenizer_json(std::string_view json, std::string_view name);
Result<Vocabulary> parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt);
std::string tokenizer_json(const Vocabulary& vocabulary);

}  // namespace limelight
