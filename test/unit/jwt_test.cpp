#include "core/jwt.hpp"

#include "codes.hpp"
#include "core/verify.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

TEST(SplitToken, finds_the_parts) {
    const auto parts = split_token("aa.bbb.c");
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->header, "aa");
    EXPECT_EQ(parts->payload, "bbb");
    EXPECT_EQ(parts->signature, "c");
    EXPECT_EQ(parts->signed_bytes, "aa.bbb");
}

TEST(SplitToken, counts_parts_before_anything_else) {
    EXPECT_EQ(split_token("").error(), Code::token_missing);
    for (const char *token : {"a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "..", "a..c", ".b.c", "a.b."})
        EXPECT_EQ(split_token(token).error(), Code::token_malformed) << token;
    EXPECT_EQ(split_token("....").error(), Code::token_encrypted);
    EXPECT_EQ(split_token("{").error(), Code::token_json_serialization);
}

TEST(SplitToken, has_an_exact_size_limit) {
    const std::string fits = "a." + std::string(kMaxTokenBytes - 4, 'b') + ".c";
    ASSERT_EQ(fits.size(), kMaxTokenBytes);
    EXPECT_TRUE(split_token(fits));
    EXPECT_EQ(split_token(fits + "c").error(), Code::token_too_large);
}

} // namespace
} // namespace tenancy::core
