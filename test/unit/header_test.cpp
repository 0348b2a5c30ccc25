#include "core/header.hpp"

#include "codes.hpp"

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

TEST(ParseHeader, reads_what_it_needs_and_no_more) {
    const auto header =
        parse_header(R"({"typ":"at+jwt","alg":"RS256","kid":"k","x":{"alg":"none"}})");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->algorithm, Algorithm::rs256);
    EXPECT_EQ(header->kid, "k");
    EXPECT_EQ(header->typ, "at+jwt");
}

TEST(ParseHeader, tells_absent_members_from_empty_ones) {
    const auto header = parse_header(R"({"alg":"ES256","typ":""})");
    ASSERT_TRUE(header);
    EXPECT_FALSE(header->kid);
    EXPECT_EQ(header->typ, "");
    EXPECT_EQ(parse_header(R"({"alg":"ES256","kid":""})").error(), Code::kid_malformed);
}

TEST(ParseHeader, looks_at_the_top_level_only) {
    EXPECT_EQ(parse_header(R"({"x":{"alg":"ES256"}})").error(), Code::algorithm_missing);
    EXPECT_TRUE(
        parse_header(R"({"alg":"ES256","x":{"crit":[],"jwk":{},"zip":"DEF","b64":false}})"));
    EXPECT_TRUE(parse_header(R"({"alg":"ES256","CRIT":[],"Jku":"x"})"));
}

} // namespace
} // namespace tenancy::core
