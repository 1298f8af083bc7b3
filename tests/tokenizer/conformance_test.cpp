// What tiktoken encodes and minbpe learns, exactly.

#include <gtest/gtest.h>
#include <limelight/tokenizer.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "support/conformance.h"
#include "tokenizer/bpe_trainer.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<json> read_lines(const fs::path& path) {
  std::vector<json> lines;
  std::istringstream text(test::read_file(path));
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

Tokenizer gpt2(const fs::path& folder) {
  return std::move(Tokenizer::from_vocab_and_merges(test::read_file(folder / "vocab.json"),
                                                    test::read_file(folder / "merges.txt")))
      .value();
}

TEST(TokenizerConformance, Gpt2EncodesEveryText) {
  const fs::path folder = test::conformance_folder("tokenizer/gpt2");
  if (folder.empty()) GTEST_SKIP() << "no conformance material";
  const Tokenizer tokenizer = gpt2(folder);
  // The same after a journey through tokenizer.json.
  const Tokenizer reread = std::move(Tokenizer::from_json(tokenizer.to_json())).value();
  for (const json& line : read_lines(folder / "encode_vectors.jsonl")) {
    SCOPED_TRACE("vector " + line["id"].dump() + ", " + line["category"].get<std::string>());
    const std::string text = from_hex(line["utf8_hex"]);
    const auto expected = line["ids"].get<std::vector<TokenId>>();
    const bool special = line["allow_special"];
    EXPECT_EQ(tokenizer.encode(text, special), expected);
    EXPECT_EQ(reread.encode(text, special), expected);
    EXPECT_EQ(tokenizer.decode(expected), text);
  }
}

TEST(TokenizerConformance, Gpt2DecodesEveryList) {
  const fs::path folder = test::conformance_folder("tokenizer/gpt2");
  if (folder.empty()) GTEST_SKIP() << "no conformance material";
  const Tokenizer tokenizer = gpt2(folder);
  for (const json& line : read_lines(folder / "decode_vectors.jsonl")) {
    EXPECT_EQ(tokenizer.decode(line["ids"].get<std::vector<TokenId>>()),
              from_hex(line["bytes_hex"]));
  }
}

/// The first `count` characters (not bytes) of a UTF-8 text.
std::string first_characters(const std::string& text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool starts = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (starts && count-- == 0) break;
  }
  return text.substr(0, at);
}

TEST(TokenizerConformance, MinbpesMergesAreLearnedUpToTheFirstTie) {
  const fs::path folder = test::conformance_folder("tokenizer/bpe_training");
  const fs::path texts = test::conformance_folder("text");
  if (folder.empty() || texts.empty()) GTEST_SKIP() << "no conformance material";
  const json vectors = json::parse(test::read_file(folder / "vectors.json"));
  for (const json& c : vectors["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const std::string whole = c["text"].is_string()
                                  ? c["text"].get<std::string>()
                                  : test::read_file(texts / c["text_file"].get<std::string>());
    const std::string text = first_characters(whole, c["n_chars"]);
    const PieceSplitter splitter(
        c["split_pattern"].is_null() ? "" : c["split_pattern"].get<std::string>());
    const auto& expected = c["merges"];
    const auto learned = learn_merges({text}, splitter, static_cast<int>(expected.size()), nullptr);
    const std::size_t certain =
        c["first_tie"].is_null() ? expected.size() : c["first_tie"].get<std::size_t>();
    ASSERT_GE(learned.size(), certain);
    for (std::size_t step = 0; step < certain; ++step) {
      EXPECT_EQ(learned[step].left, expected[step][0].get<int>()) << "step " << step;
      EXPECT_EQ(learned[step].right, expected[step][1].get<int>()) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace limelight
