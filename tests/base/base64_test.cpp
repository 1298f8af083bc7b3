#include "base/base64.h"

#include <gtest/gtest.h>

#include <string_view>

namespace limelight {
namespace {

std::string encoded(std::string_view text) { return base64(std::as_bytes(std::span(text))); }

TEST(Base64, TheVectorsOfRfc4648) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foob"), "Zm9vYg==");
  EXPECT_EQ(encoded("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
}

TEST(Base64, BytesOfEveryKind) {
  EXPECT_EQ(encoded(std::string_view("\x00\xff\xfe\x7f", 4)), "AP/+fw==");
}

}  // namespace
}  // namespace limelight
