#include "core/base64url.hpp"

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

TEST(Base64url, decodes_rfc_vectors) {
    // RFC 4648 section 10 without padding, RFC 7515 appendix C.
    const std::pair<const char *, std::string> cases[] = {{"", ""},
                                                          {"Zg", "f"},
                                                          {"Zm8", "fo"},
                                                          {"Zm9v", "foo"},
                                                          {"Zm9vYg", "foob"},
                                                          {"Zm9vYmE", "fooba"},
                                                          {"Zm9vYmFy", "foobar"},
                                                          {"A-z_4ME", "\x03\xec\xff\xe0\xc1"}};
    for (const auto &[text, bytes] : cases) {
        ASSERT_TRUE(base64url_decode(text)) << text;
        EXPECT_EQ(*base64url_decode(text), bytes);
        EXPECT_EQ(base64url_encode(bytes), text);
    }
}

TEST(Base64url, round_trips_every_byte_at_every_offset) {
    for (int byte = 0; byte < 256; ++byte)
        for (std::size_t before = 0; before < 3; ++before) {
            const std::string bytes = std::string(before, 'x') + static_cast<char>(byte) + "yz";
            EXPECT_EQ(*base64url_decode(base64url_encode(bytes)), bytes);
        }
}

TEST(Base64url, refuses_a_length_of_one_modulo_four) {
    for (const char *text : {"A", "AAAAA", "Zm9vY"})
        EXPECT_EQ(base64url_decode(text).error(), Code::base64url_malformed) << text;
}

TEST(Base64url, refuses_every_foreign_byte) {
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool is_known = kAlphabet.find(c) != std::string_view::npos;
        const std::string text = std::string("AA") + c + "A";
        EXPECT_EQ(static_cast<bool>(base64url_decode(text)), is_known) << byte;
    }
}

TEST(Base64url, gives_every_byte_string_one_spelling) {
    int good = 0;
    for (const char a : kAlphabet)
        for (const char b : kAlphabet)
            good += base64url_decode(std::string{a, b}) ? 1 : 0;
    EXPECT_EQ(good, 256);
    good = 0;
    for (const char b : kAlphabet)
        for (const char c : kAlphabet)
            good += base64url_decode(std::string{'A', b, c}) ? 1 : 0;
    EXPECT_EQ(good, 64 * 16);
}

} // namespace
} // namespace tenancy::core
