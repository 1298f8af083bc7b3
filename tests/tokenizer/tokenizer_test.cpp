#include <gtest/gtest.h>
#include <limelight/tokenizer.h>

#include <random>

namespace limelight {
namespace {

constexpr const char* kText =
    "The lamp gave a warm light. The bag was light. She lit the lamp and the light was warm. "
    "The light bag hung by the lamp; the light of the lamp fell on the bag.";

Tokenizer small_tokenizer(int vocab_size = 300) {
  Tokenizer::TrainingOptions options;
  options.vocab_size = vocab_size;
  return std::move(Tokenizer::train(kText, options)).value();
}

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random());
  return bytes;
}

TEST(Tokenizer, AnyBytesComeBackUnchanged) {
  const Tokenizer tokenizer = small_tokenizer();
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_bytes(random, random() % 200);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  for (const std::string text :
       {"", " ", "\n\n", "naïve café", "光 light 💡", "\xff\xfe", "\xe2\x82"}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, FrequentWordsBecomeOneToken) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer.encode(" light").size(), 1u);
  EXPECT_EQ(tokenizer.bytes_of(tokenizer.encode(" light")[0]), " light");
}

TEST(Tokenizer, TrainingIsDeterministic) {
  EXPECT_EQ(small_tokenizer().to_json(), small_tokenizer().to_json());
}

TEST(Tokenizer, AMergedTokenIsTheUnionOfItsHalves) {
  const Tokenizer tokenizer = small_tokenizer();
  TokenId merged = 256;
  for (const auto& [left, right] : tokenizer.merges()) {
    EXPECT_EQ(tokenizer.bytes_of(merged++),
              std::string(tokenizer.bytes_of(left)) + std::string(tokenizer.bytes_of(right)));
  }
}

TEST(Tokenizer, SpecialTokensAreTextUnlessAskedFor) {
  const Tokenizer tokenizer = small_tokenizer();
  const TokenId special = tokenizer.special_token("<|endoftext|>");
  ASSERT_GE(special, 0);
  const std::string text = "a<|endoftext|><|endoftext|>b";
  const auto parsed = tokenizer.encode(text, true);
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), special), 2);
  const auto plain = tokenizer.encode(text);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), special), 0);
  EXPECT_EQ(tokenizer.decode(parsed), text);
  EXPECT_EQ(tokenizer.decode(plain), text);
}

TEST(Tokenizer, AMegabyteWithoutABlankIsEncoded) {
  const Tokenizer tokenizer = small_tokenizer();
  const std::string letters(1 << 20, 'l');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(letters)), letters);
  const std::string blanks(1 << 20, ' ');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(blanks)), blanks);
}

TEST(Tokenizer, AVocabularyTooSmallForBytesIsRefused) {
  Tokenizer::TrainingOptions options;
  options.vocab_size = 256;
  const auto result = Tokenizer::train(kText, options);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.message().find("257"), std::string::npos) << result.message();
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreRefused) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_THROW(tokenizer.bytes_of(-1), Error);
  EXPECT_THROW(tokenizer.bytes_of(tokenizer.vocab_size()), Error);
}

}  // namespace
}  // namespace limelight
