#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace limelight {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

std::string why(std::string_view text, DuplicateKeys duplicates = DuplicateKeys::refuse) {
  const auto parsed = parse_json(text, "config.json", duplicates);
  EXPECT_FALSE(parsed.ok()) << text;
  if (parsed.ok()) return {};
  EXPECT_THAT(parsed.message(), StartsWith("config.json: line "));
  EXPECT_EQ(parsed.message().find('\n'), std::string::npos) << parsed.message();
  return parsed.message();
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, AgreesWithThePlainParserOnEveryKindOfValue) {
  for (const char* text : {"null", "true", "-3", "18446744073709551615", "2.5e-3",
                           "\"a\\u00e9\\ud83d\\ude00\"", "[]", "{}", "[1,[2,{\"a\":[]}],3]",
                           R"({"a":{"b":[1,2,{"c":null}],"d":"x"},"e":[[],[[]]],"f":false})",
                           " \t\r\n{ \"a\" : 1 } \n"}) {
    const auto parsed = parse_json(text, "text");
    ASSERT_TRUE(parsed.ok()) << parsed.message();
    EXPECT_EQ(*parsed, json::parse(text)) << text;
  }
}

TEST(ParseJson, SkipsAByteOrderMark) { EXPECT_EQ(*parse_json("\xef\xbb\xbf[1]", "text"), json{1}); }

TEST(ParseJson, TakesTheLastOfEqualKeysUnlessToldToRefuse) {
  EXPECT_EQ(*parse_json(R"({"a":[1,2],"a":{"b":2}})", "text"), json::parse(R"({"a":{"b":2}})"));
  EXPECT_THAT(why("{\"a\":1,\n \"b\":{\"c\":1,\"c\":2}}"),
              testing::AllOf(HasSubstr("line 2"), HasSubstr("found 'c' again")));
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":{"a":1}})", "text", DuplicateKeys::refuse).ok());
}

TEST(ParseJson, SaysWhereItStopped) {
  EXPECT_THAT(why(""), StartsWith("config.json: line 1, column 1 (byte 0): "));
  EXPECT_THAT(why("}"), StartsWith("config.json: line 1, column 1 (byte 0): "));
  EXPECT_THAT(why("{\n  \"a\": 1,\n  \"b\": ]\n}"),
              StartsWith("config.json: line 3, column 8 (byte 19): "));
}

TEST(ParseJson, RefusesWhatIsNotOneDocument) {
  for (const char* text :
       {"{} {}", "[1,]", "{\"a\"}", "{'a':1}", "nul", "01", "1e999", "\"a", "\"\t\"", "\"\\ud800\"",
        "\"\xff\"", "[1", "{\"a\":1", "NaN", "// no\n1"}) {
    why(text);
  }
}

TEST(ParseJson, RefusesANulByteWhichThePlainParserTakesForTheEnd) {
  using namespace std::string_literals;
  EXPECT_TRUE(json::accept("{}\0]"s));  // why the check exists
  EXPECT_THAT(why("{}\0]"s), HasSubstr("(byte 2): found a NUL byte"));
}

TEST(ParseJson, LimitsNesting) {
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth), "text").ok());
  EXPECT_THAT(why(nested(kMaxJsonDepth + 1)), HasSubstr("(byte 64): expected at most 64 levels"));
  why(std::string(1'000'000, '['));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(why(objects), HasSubstr("levels of nesting"));
}

TEST(ParseJson, KeepsAHostileTextOutOfTheMessage) {
  const std::string message = why("{\"a\x1b[31m" + std::string(100'000, 'x'));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_LT(message.size(), 1000u);
}

TEST(ParseJson, AgreesWithThePlainParserOnDamagedText) {
  const std::string text = R"({"a":[1,2.5,-3],"b":{"c":"\u00e9\n","d":[true,null]},"e":"ü"})";
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = text;
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
      damaged[random() % damaged.size()] = static_cast<char>(1 + random() % 255);
    }
    const auto parsed = parse_json(damaged, "text");
    const json plain = json::parse(damaged, nullptr, false);
    ASSERT_EQ(parsed.ok(), !plain.is_discarded()) << damaged;
    if (parsed.ok()) {
      ASSERT_EQ(*parsed, plain) << damaged;
    }
  }
}

}  // namespace
}  // namespace limelight
