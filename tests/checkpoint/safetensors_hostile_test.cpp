// Files that somebody damaged or forged: always a Failure of one line, never a crash (run under
// asan).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_bytes.h"

namespace limelight {
namespace {

using test::as_bytes;
using test::safetensors_bytes;
using testing::AllOf;
using testing::HasSubstr;

const std::string kHeader =
    R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]}})";

Result<SafetensorsFile> parse(const std::string& bytes) {
  return SafetensorsFile::parse(as_bytes(bytes), "test.safetensors");
}

std::string why(const std::string& bytes) {
  const auto parsed = parse(bytes);
  EXPECT_FALSE(parsed.ok());
  if (parsed.ok()) return {};
  EXPECT_THAT(parsed.message(), testing::StartsWith("test.safetensors: "));
  EXPECT_EQ(parsed.message().find('\n'), std::string::npos);
  EXPECT_LT(parsed.message().size(), 2000u);
  return parsed.message();
}

/// One F32 tensor "t" with this shape and these offsets.
std::string one_tensor(std::string_view shape, std::string_view offsets, std::size_t data_size,
                       std::string_view dtype = "\"F32\"") {
  return safetensors_bytes("{\"t\":{\"dtype\":" + std::string(dtype) +
                               ",\"shape\":" + std::string(shape) +
                               ",\"data_offsets\":" + std::string(offsets) + "}}",
                           std::string(data_size, '\0'));
}

/// Touches every byte of every tensor.
int sum_of_everything(const SafetensorsFile& file) {
  int sum = 0;
  for (const std::string& name : file.names()) {
    const auto tensor = file.tensor(name);
    if (!tensor) continue;
    const auto* bytes = static_cast<const unsigned char*>(tensor->raw());
    const auto count = static_cast<std::size_t>(tensor->elements()) * size_of(tensor->dtype());
    for (std::size_t i = 0; i < count; ++i) sum += bytes[i];
  }
  return sum;
}

TEST(SafetensorsHostile, TheUndamagedFileIsFine) {
  const std::string bytes = safetensors_bytes(kHeader, std::string(11, '\1'));
  const auto file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.message();
  EXPECT_EQ(sum_of_everything(*file), 11);
  EXPECT_EQ(file->metadata().at("k"), "v");
  EXPECT_TRUE(file->contains("a"));
  EXPECT_FALSE(file->contains("__metadata__"));
}

TEST(SafetensorsHostile, CutShortAtEveryByte) {
  const std::string bytes = safetensors_bytes(kHeader, std::string(11, '\1'));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of exactly this size, so that asan sees a read behind it.
    const std::vector<std::byte> cut(as_bytes(bytes).begin(), as_bytes(bytes).begin() + size);
    const auto parsed = SafetensorsFile::parse(cut, "cut");
    ASSERT_FALSE(parsed.ok()) << size;
  }
  why(bytes + "x");
}

TEST(SafetensorsHostile, EveryBitFlippedOnce) {
  const std::string bytes = safetensors_bytes(kHeader, std::string(11, '\1'));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1u << (bit % 8));
    const auto parsed = parse(flipped);
    if (bit < 64) {
      EXPECT_FALSE(parsed.ok()) << "a bit of the header's length: " << bit;
    }
    if (parsed.ok()) sum_of_everything(*parsed);
  }
}

TEST(SafetensorsHostile, RandomDamageOfTheHeader) {
  std::mt19937 random(11);
  const std::string numbers[] = {"0",  "1",    "-1", "8", "1e3", "18446744073709551615",
                                 "[]", "null", "2.0"};
  for (int i = 0; i < 20'000; ++i) {
    std::string header = kHeader;
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
      const std::size_t at = random() % header.size();
      header.replace(at, random() % 3, numbers[random() % std::size(numbers)]);
    }
    const std::string bytes = safetensors_bytes(header, std::string(11, '\1'));
    const auto parsed = parse(bytes);
    if (parsed.ok()) sum_of_everything(*parsed);
  }
}

TEST(SafetensorsHostile, HeaderLengths) {
  EXPECT_THAT(why(""), HasSubstr("found 0 bytes"));
  EXPECT_THAT(why(safetensors_bytes("{}", "", 100'000'001)), HasSubstr("at most 100000000 bytes"));
  EXPECT_THAT(why(safetensors_bytes("{}", "", ~0ull)), HasSubstr("18446744073709551615"));
  EXPECT_THAT(why(safetensors_bytes("{}", "", ~0ull - 7)), HasSubstr("at most"));
  EXPECT_THAT(why(safetensors_bytes("{}", "", 3)), HasSubstr("header of 3 bytes, found only 2"));
  EXPECT_THAT(why(safetensors_bytes("", "")), HasSubstr("expected '{' first, found nothing"));
  EXPECT_THAT(why(safetensors_bytes("   ", "")), HasSubstr("found nothing"));
}

TEST(SafetensorsHostile, HeadersThatAreNotTheFormats) {
  using namespace std::string_literals;
  EXPECT_THAT(why(safetensors_bytes("[]", "")), HasSubstr("expected '{' first, found '['"));
  EXPECT_THAT(why(safetensors_bytes("\xef\xbb\xbf{}", "")), HasSubstr("found '\\xef'"));
  EXPECT_THAT(why(safetensors_bytes("{}\0\0"s, "")), HasSubstr("NUL"));
  EXPECT_THAT(why(safetensors_bytes("{} x", "")), HasSubstr("header: line 1, column 4"));
  EXPECT_THAT(why(safetensors_bytes("{\"a\xff\":1}", "")), HasSubstr("header: line 1"));
  EXPECT_THAT(why(safetensors_bytes(R"({"__metadata__":{"a":1}})", "")),
              HasSubstr("'a': expected a text, found number"));
  EXPECT_THAT(why(safetensors_bytes(R"({"__metadata__":[]})", "")), HasSubstr("found array"));
  EXPECT_THAT(why(safetensors_bytes(R"({"__metadata__":{"a":"","a":""}})", "")),
              HasSubstr("again"));
  EXPECT_THAT(why(safetensors_bytes(R"({"t":7})", "")),
              HasSubstr("tensor 't': expected an object"));
  EXPECT_THAT(why(safetensors_bytes(R"({"t":{"dtype":"F32","shape":[]}})", "")),
              HasSubstr("expected the key 'data_offsets'"));
  why(safetensors_bytes("{\"t\":" + std::string(1000, '['), ""));
}

TEST(SafetensorsHostile, DtypesShapesAndOffsets) {
  EXPECT_THAT(why(one_tensor("[1]", "[0,4]", 4, "\"f32\"")), HasSubstr("expected one of F64 F32"));
  EXPECT_THAT(why(one_tensor("[1]", "[0,4]", 4, "\"F4\"")), HasSubstr("found \"F4\""));
  EXPECT_THAT(why(one_tensor("[1]", "[0,4]", 4, "3")), HasSubstr("found 3"));
  for (const char* shape :
       {"[-1]", "[1.0]", "1", "{}", "[\"1\"]", "[null]", "[-0]", "[18446744073709551616]"}) {
    EXPECT_THAT(why(one_tensor(shape, "[0,4]", 4)), HasSubstr("shape: expected")) << shape;
  }
  for (const char* offsets : {"[4,0]", "[0]", "[0,4,8]", "[-4,0]", "[0,4.0]", "null", "4"}) {
    EXPECT_THAT(why(one_tensor("[1]", offsets, 4)), HasSubstr("data_offsets: expected")) << offsets;
  }
  EXPECT_THAT(why(one_tensor("[3]", "[0,8]", 8)),
              AllOf(HasSubstr("'t': expected 12 bytes for F32 [3], found data_offsets [0, 8]")));
  EXPECT_THAT(why(one_tensor("[4294967296,4294967296]", "[0,0]", 0)), HasSubstr("2^64 or more"));
  EXPECT_THAT(why(one_tensor("[4611686018427387904]", "[0,0]", 0)), HasSubstr("2^64 or more"));
  EXPECT_THAT(why(one_tensor("[1]", "[18446744073709551612,18446744073709551615]", 4)),
              HasSubstr("expected 4 bytes"));
  EXPECT_THAT(why(one_tensor("[1]", "[18446744073709551608,18446744073709551612]", 4)),
              HasSubstr("a hole"));
}

TEST(SafetensorsHostile, TensorsThatShareBytesOrLeaveSomeOut) {
  const auto two = [](int a_begin, int a_end, int b_begin, int b_end, std::size_t size) {
    const auto entry = [](int begin, int end) {
      return R"({"dtype":"U8","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
             std::to_string(begin) + "," + std::to_string(end) + "]}";
    };
    return safetensors_bytes(
        "{\"a\":" + entry(a_begin, a_end) + ",\"b\":" + entry(b_begin, b_end) + "}",
        std::string(size, '\0'));
  };
  EXPECT_TRUE(parse(two(0, 2, 2, 5, 5)).ok());
  EXPECT_TRUE(parse(two(2, 5, 0, 2, 5)).ok());
  EXPECT_TRUE(parse(two(0, 0, 0, 5, 5)).ok());
  EXPECT_TRUE(parse(two(0, 5, 5, 5, 5)).ok());
  EXPECT_THAT(why(two(0, 3, 2, 5, 5)), HasSubstr("an overlap"));
  EXPECT_THAT(why(two(0, 5, 0, 5, 5)), HasSubstr("an overlap"));
  EXPECT_THAT(why(two(0, 5, 2, 2, 5)), HasSubstr("an overlap"));
  EXPECT_THAT(why(two(0, 2, 3, 5, 5)), HasSubstr("a hole"));
  EXPECT_THAT(why(two(1, 2, 2, 5, 5)), HasSubstr("a hole"));
  EXPECT_THAT(why(two(0, 2, 2, 5, 4)), HasSubstr("cut short"));
  EXPECT_THAT(why(two(0, 2, 2, 5, 6)), HasSubstr("bytes of no tensor"));
}

TEST(SafetensorsHostile, ShapesThatNoViewCanHave) {
  for (const char* shape :
       {"[1,1,1,1,1,1,1]", "[0,18446744073709551615]", "[0,1099511627776,1099511627776]"}) {
    const std::string bytes =
        one_tensor(shape, shape[1] == '1' ? "[0,4]" : "[0,0]", shape[1] == '1' ? 4 : 0);
    const auto file = parse(bytes);
    ASSERT_TRUE(file.ok()) << file.message();
    EXPECT_THAT(file->tensor("t").message(), HasSubstr("expected at most 6 axes")) << shape;
  }
}

TEST(SafetensorsHostile, ANameCannotSteerTheTerminal) {
  const std::string message = why(safetensors_bytes(
      R"({"\u001b[2J\nx":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}})", "abc"));
  EXPECT_THAT(message, HasSubstr("'\\x1b[2J\\x0ax'"));
}

TEST(SafetensorsHostile, AMissingTensorNamesTheClosest) {
  const std::string bytes = safetensors_bytes(kHeader, std::string(11, '\1'));
  EXPECT_THAT(parse(bytes)->tensor("c").message(),
              AllOf(HasSubstr("test.safetensors: expected a tensor 'c'"), HasSubstr("'a', 'b'")));
  const std::string empty = safetensors_bytes("{}", "");
  EXPECT_THAT(parse(empty)->tensor("c").message(), HasSubstr("no similar name"));
}

TEST(SafetensorsHostile, UnalignedTensorsAreCopiedOnceForAllThreads) {
  const float values[] = {1.5f, -2.0f};
  std::string data(1, '\7');
  data.append(reinterpret_cast<const char*>(values), sizeof values);
  const std::string bytes =
      safetensors_bytes(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                        R"("f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
                        data);
  const auto file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.message();
  std::vector<const void*> seen(8);
  std::vector<std::thread> threads;
  for (auto& place : seen) threads.emplace_back([&] { place = file->tensor("f")->raw(); });
  for (auto& thread : threads) thread.join();
  for (const void* pointer : seen) EXPECT_EQ(pointer, seen[0]);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(seen[0]) % alignof(float), 0u);
  EXPECT_THAT(std::span(static_cast<const float*>(seen[0]), 2), testing::ElementsAre(1.5f, -2.0f));
}

}  // namespace
}  // namespace limelight
