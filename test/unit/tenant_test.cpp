#include "core/tenant.hpp"

#include "codes.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

TEST(TenantId, accepts_letters_digits_and_four_signs) {
    for (const std::string &id : {std::string("a"), std::string("Z9"), std::string("0"),
                                  std::string("acme.eu_west:prod-1"), std::string(128, 'a')})
        EXPECT_EQ(check_tenant_id(id), Code::ok) << id;
}

TEST(TenantId, refuses_everything_else) {
    for (const std::string &id :
         {std::string(), std::string(129, 'a'), std::string(".a"), std::string("_a"),
          std::string("-a"), std::string(":a"), std::string("a b"), std::string("a\n"),
          std::string("a/b"), std::string("a'"), std::string("a\0b", 3), std::string("caf\xC3\xA9"),
          std::string("\xff")})
        EXPECT_EQ(check_tenant_id(id), Code::tenant_id_malformed) << id;
}

TEST(ClaimValue, accepts_text_of_any_language) {
    for (const char *value :
         {"acme", "a b", "caf\xC3\xA9", "cafe\xCC\x81", "\xE6\x9D\xB1\xE4\xBA\xAC",
          "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "'; DROP", "..", "\xF0\x9F\x98\x80"})
        EXPECT_EQ(check_claim_value(value), Code::ok) << value;
}

TEST(ClaimValue, refuses_bad_lengths) {
    EXPECT_EQ(check_claim_value(""), Code::tenant_claim_malformed);
    EXPECT_EQ(check_claim_value(std::string(255, 'x')), Code::ok);
    EXPECT_EQ(check_claim_value(std::string(256, 'x')), Code::tenant_claim_malformed);
}

// UTF-8 of a character of the basic plane; spelled out here so that no such character is in the
// source.
std::string utf8_of(unsigned c) {
    if (c < 0x80)
        return {static_cast<char>(c)};
    if (c < 0x800)
        return {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    return {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
            static_cast<char>(0x80 | (c & 0x3f))};
}

TEST(ClaimValue, refuses_control_and_format_characters_anywhere) {
    for (const unsigned c :
         {0x00U, 0x01U, 0x0aU, 0x1fU, 0x7fU, 0x80U, 0x85U, 0x9fU, 0x61cU, 0x200eU, 0x200fU, 0x2028U,
          0x2029U, 0x202aU, 0x202eU, 0x2066U, 0x2069U, 0xfeffU}) {
        const std::string bad = utf8_of(c);
        for (const std::string &value : {bad, bad + "x", "x" + bad, "x" + bad + "x"})
            EXPECT_EQ(check_claim_value(value), Code::tenant_claim_malformed) << std::hex << c;
    }
}

TEST(ClaimValue, refuses_outer_spaces_of_every_kind) {
    for (const char *space : {" ", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A",
                              "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"}) {
        EXPECT_EQ(check_claim_value(space + std::string("x")), Code::tenant_claim_malformed);
        EXPECT_EQ(check_claim_value(std::string("x") + space), Code::tenant_claim_malformed);
        EXPECT_EQ(check_claim_value(space), Code::tenant_claim_malformed);
        EXPECT_EQ(check_claim_value(std::string("x") + space + "x"), Code::ok);
    }
}

TEST(ClaimValue, refuses_bytes_that_are_not_utf8) {
    for (const char *bad : {"\xff", "x\xC3", "\xC0\xAF", "\xED\xA0\x80"})
        EXPECT_EQ(check_claim_value(bad), Code::tenant_claim_malformed);
}

} // namespace
} // namespace tenancy::core
