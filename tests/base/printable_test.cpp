#include "base/printable.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace limelight {
namespace {

using namespace std::string_literals;

TEST(Printable, KeepsTextOfEveryScript) {
  EXPECT_EQ(printable("h.0.attn/Größe 漢字 😀"), "h.0.attn/Größe 漢字 😀");
}

TEST(Printable, EscapesWhatSteersATerminal) {
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f\0"s), "a\\x0ab\\x1b[31m\\x7f\\x00");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // C1: a control sequence on its own
  EXPECT_EQ(printable("a\xe2\x80\xae z"), "a\\xe2\\x80\\xae z");  // right-to-left override
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");        // line separator
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  EXPECT_EQ(printable("\xe6\xbc"), "\\xe6\\xbc");                    // cut short
  EXPECT_EQ(printable("\xe6z"), "\\xe6z");
}

TEST(Printable, CutsLongTextAtACharacter) {
  EXPECT_EQ(printable("ääää", 3), "äää...");
  EXPECT_EQ(printable("äää", 3), "äää");
}

TEST(Printable, NoBytesAtAllMakeAControlCharacter) {
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (const char c : printable(bytes)) {
      ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
    }
  }
}

}  // namespace
}  // namespace limelight
