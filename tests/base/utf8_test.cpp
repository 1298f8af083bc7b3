#include "base/utf8.h"

#include <gtest/gtest.h>

namespace limelight {
namespace {

TEST(Utf8, TheFirstInvalidByteIsFound) {
  EXPECT_EQ(find_invalid_utf8("light naïve 光 💡"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xc0\x80"), 0u);          // an overlong NUL
  EXPECT_EQ(find_invalid_utf8("a\xed\xa0\x80"), 1u);     // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("\xe5\x85"), 0u);          // cut off
}

TEST(Utf8, WidthCountsColumns) {
  EXPECT_EQ(display_width("light"), 5);
  EXPECT_EQ(display_width("naïve"), 5);
  EXPECT_EQ(display_width("光"), 2);
  EXPECT_EQ(display_width("💡"), 2);
  EXPECT_EQ(display_width("e\xcc\x81"), 1);  // e and a combining accent
}

TEST(Utf8, PrintableCellsHoldNoControls) {
  EXPECT_EQ(printable_cell("a\nb\tc"), "a⏎b⇥c");
  EXPECT_EQ(printable_cell("\x1b[31m"), "·[31m");
  EXPECT_EQ(printable_cell("\xff"), "\\xff");
  EXPECT_EQ(printable_cell("\xe2\x80\xae!"), "·!");  // a direction override
  EXPECT_EQ(printable_cell("feather", 4), "fea…");
  EXPECT_EQ(printable_cell("光光光", 4), "光…");
  EXPECT_EQ(printable_cell("lamp", 4), "lamp");
}

}  // namespace
}  // namespace limelight
