#include "core/utf8.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

std::optional<char32_t> only(std::string_view text) {
    const auto c = take_code_point(text);
    return text.empty() ? c : std::nullopt;
}

TEST(Utf8, decodes_the_ends_of_every_length) {
    EXPECT_EQ(only(std::string_view("\0", 1)), U'\0');
    EXPECT_EQ(only("\x7f"), U'\x7f');
    EXPECT_EQ(only("\xc2\x80"), U'\x80');
    EXPECT_EQ(only("\xdf\xbf"), U'\x7ff');
    EXPECT_EQ(only("\xe0\xa0\x80"), U'\x800');
    EXPECT_EQ(only("\xef\xbf\xbf"), U'\xffff');
    EXPECT_EQ(only("\xf0\x90\x80\x80"), U'\x10000');
    EXPECT_EQ(only("\xf4\x8f\xbf\xbf"), U'\x10ffff');
}

TEST(Utf8, refuses_what_is_not_well_formed) {
    for (const char *text :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf",
          "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
          "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xff"})
        EXPECT_EQ(only(text), std::nullopt) << text;
}

TEST(Utf8, plain_text_has_bounds_and_no_controls) {
    EXPECT_TRUE(is_plain_text("a", 1));
    EXPECT_FALSE(is_plain_text("", 1));
    EXPECT_FALSE(is_plain_text("ab", 1));
    EXPECT_TRUE(is_plain_text("a b\xC3\xA9", 10));
    for (const char *text : {"a\n", "\t", "\x1f", "\x7f", "\xc2\x85", "\xff"})
        EXPECT_FALSE(is_plain_text(text, 10)) << text;
}

} // namespace
} // namespace tenancy::core
