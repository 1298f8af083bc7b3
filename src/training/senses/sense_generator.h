#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "training/senses/sense_grammar.h"

namespace limelight {

/// Stands between the documents of generated text, on a line of its own; encode it as the special
/// token that it is.
constexpr std::string_view kDocumentEnd = "<|endoftext|>";

struct GenerateOptions {
  std::uint64_t seed = 0;
  std::size_t bytes = std::size_t{1} << 20;  ///< stop after the document that reaches this many
  unsigned everyday_percent = 30;            ///< how many documents are about no ambiguous word
};

/// Text to train on: documents of one to six sentences, each followed by a newline, kDocumentEnd
/// and a newline. Every sense of every word is as frequent as every other, and no held-out frame is
/// used. The same grammar and options give the same bytes on every platform, and a longer text
/// begins with the shorter one. Throws Error when everyday_percent is over 100.
std::string generate_text(const SenseGrammar& grammar, const GenerateOptions& options);

/// Where the context that tells the sense stands, seen from the word.
enum class SensePosition { kBefore, kAfter };

/// One sentence whose sense is known.
struct SenseExample {
  std::string text;
  std::string word;
  std::string sense;
  std::size_t offset = 0;  ///< of the ambiguous word in `text`, in bytes
  std::size_t length = 0;
  SensePosition position = SensePosition::kBefore;
  bool held_out = false;
};

struct ExampleOptions {
  std::string word;  ///< one of the grammar's words
  SensePosition position = SensePosition::kBefore;
  bool held_out = false;
  std::uint64_t seed = 0;
  std::size_t count = 100;  ///< for each sense
};

/// Single sentences to measure with: `count` for each sense of the word, sense by sense in the
/// grammar's order, the frames taking turns. None where a sense has no such frame. Throws Error
/// when the grammar has no such word.
std::vector<SenseExample> generate_examples(const SenseGrammar& grammar,
                                            const ExampleOptions& options);

}  // namespace limelight
