#include <gtest/gtest.h>
#include <limelight/tokenizer.h>

#include <nlohmann/json.hpp>

namespace limelight {
namespace {

using nlohmann::json;

json small_json() {
  Tokenizer::TrainingOptions options;
  options.vocab_size = 264;
  const Tokenizer tokenizer =
      std::move(Tokenizer::train("light light lamp lamp lamp", options)).value();
  return json::parse(tokenizer.to_json());
}

void expect_refused(const json& changed, const std::string& named) {
  const auto result = Tokenizer::from_json(changed.dump());
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.message().find(named), std::string::npos) << result.message();
}

TEST(TokenizerJson, HasTheFormOfHuggingFaces) {
  const json written = small_json();
  EXPECT_EQ(written["version"], "1.0");
  EXPECT_EQ(written["model"]["type"], "BPE");
  EXPECT_EQ(written["pre_tokenizer"]["type"], "ByteLevel");
  EXPECT_EQ(written["pre_tokenizer"]["add_prefix_space"], false);
  EXPECT_EQ(written["decoder"]["type"], "ByteLevel");
  EXPECT_EQ(written["model"]["vocab"]["Ġ"], 32);
  EXPECT_TRUE(written["model"]["merges"][0].is_string());
  EXPECT_EQ(written["added_tokens"][0]["content"], "<|endoftext|>");
}

TEST(TokenizerJson, MergesMayBePairs) {
  json changed = small_json();
  const auto before = Tokenizer::from_json(changed.dump()).value().encode("lamp light");
  for (json& merge : changed["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    const auto blank = text.find(' ');
    merge = {text.substr(0, blank), text.substr(blank + 1)};
  }
  EXPECT_EQ(Tokenizer::from_json(changed.dump()).value().encode("lamp light"), before);
}

TEST(TokenizerJson, OtherKindsAreRefusedByName) {
  json changed = small_json();
  changed["model"]["type"] = "WordPiece";
  expect_refused(changed, "WordPiece");
  changed = small_json();
  changed["pre_tokenizer"] = {{"type", "Metaspace"}};
  expect_refused(changed, "Metaspace");
  changed = small_json();
  changed["pre_tokenizer"]["add_prefix_space"] = true;
  expect_refused(changed, "add_prefix_space");
}

TEST(TokenizerJson, DamagedVocabulariesAreRefused) {
  json changed = small_json();
  changed["model"]["vocab"]["a"] = 98;  // b's
  expect_refused(changed, "once each");
  changed = small_json();
  changed["model"]["vocab"]["a"] = -1;
  expect_refused(changed, "-1");
  changed = small_json();
  changed["model"]["vocab"]["a"] = 1e300;
  expect_refused(changed, "id");
  changed = small_json();
  changed["model"]["vocab"].erase("!");
  expect_refused(changed, "\"");
  changed = small_json();
  changed["model"]["merges"].push_back("zz yy");
  expect_refused(changed, "zz");
  changed = small_json();
  changed["model"]["merges"].push_back(7);
  expect_refused(changed, "merges");
  EXPECT_FALSE(Tokenizer::from_json("{").ok());
  EXPECT_FALSE(Tokenizer::from_json("[]").ok());
  EXPECT_FALSE(Tokenizer::from_json("").ok());
  EXPECT_FALSE(Tokenizer::from_json(std::string(100'000, '[')).ok());
}

TEST(TokenizerJson, EveryTruncationIsAFailure) {
  const std::string whole = small_json().dump();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_FALSE(Tokenizer::from_json(whole.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace limelight
