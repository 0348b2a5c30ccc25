#include "core/claims.hpp"

#include "codes.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tenancy::core {
namespace {

const ClaimPath kNowhere;

TEST(ParseClaims, reads_the_registered_claims) {
    const auto claims = parse_claims(R"({"iss":"i","sub":"s","aud":["a","b"],"azp":"z","jti":"j",)"
                                     R"("exp":3,"nbf":1.5,"iat":2})",
                                     kNowhere);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->issuer, "i");
    EXPECT_EQ(claims->subject, "s");
    EXPECT_EQ(claims->audiences, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(claims->authorized_party, "z");
    EXPECT_EQ(claims->token_id, "j");
    EXPECT_EQ(claims->expires_us, 3'000'000);
    EXPECT_EQ(claims->not_before_us, 1'500'000);
    EXPECT_EQ(claims->issued_at_us, 2'000'000);
    EXPECT_FALSE(claims->is_sender_constrained || claims->is_other_kind);
}

TEST(ParseClaims, reads_the_top_level_only) {
    const auto claims =
        parse_claims(R"({"x":{"iss":1,"exp":"x","aud":[],"cnf":{}},"aud2":[1]})", kNowhere);
    ASSERT_TRUE(claims);
    EXPECT_FALSE(claims->issuer || claims->expires_us || claims->audiences);
    EXPECT_FALSE(claims->is_sender_constrained);
}

TEST(ParseClaims, takes_the_tenant_as_deep_as_a_path_can_lead) {
    constexpr std::string_view json =
        R"({"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":"t","i":{"j":1}}}}}}}}})";
    const auto claims = parse_claims(json, *ClaimPath::parse("a.b.c.d.e.f.g.h"));
    ASSERT_TRUE(claims);
    const auto tenant = tenant_of(*claims);
    ASSERT_TRUE(tenant);
    EXPECT_EQ(*tenant, "t");
    EXPECT_EQ(tenant_of(*parse_claims(json, kNowhere)).error(), Code::tenant_claim_missing);
}

TEST(ClaimedIssuer, is_found_in_every_spelling) {
    for (const char *json : {R"({"iss":"i"})", R"({"x":{"iss":"no"},"iss":"i"})",
                             R"({"iss":"\u0069"})", R"({"\u0069ss":"i"})"}) {
        const auto issuer = claimed_issuer(json);
        ASSERT_TRUE(issuer) << json;
        EXPECT_EQ(*issuer, "i") << json;
    }
    EXPECT_EQ(*claimed_issuer(R"({"iss":"https:\/\/i\u0041"})"), "https://iA");
    EXPECT_EQ(claimed_issuer(R"({"sub":"i"})").error(), Code::issuer_missing);
    EXPECT_EQ(claimed_issuer(R"({"iss":1})").error(), Code::issuer_malformed);
    EXPECT_EQ(claimed_issuer("x").error(), Code::json_malformed);
}

// Nothing a flood may send is parsed whole for the sake of its issuer.
TEST(ClaimedIssuer, is_found_in_large_claims_without_a_parse) {
    const auto large = [](const std::string &members) {
        std::string json = R"({"pad":[1)";
        for (int i = 0; i < 3000; ++i)
            json += ",1";
        return json + "]" + members + "}";
    };
    EXPECT_EQ(*claimed_issuer(large(R"(,"iss":"i")")), "i");
    EXPECT_EQ(*claimed_issuer(large(R"(,"\u0069ss":"https:\/\/i")")), "https://i");
    EXPECT_EQ(claimed_issuer(large("")).error(), Code::issuer_missing);
    EXPECT_EQ(claimed_issuer(large(R"(,"iss":1)")).error(), Code::issuer_missing);
    EXPECT_EQ(claimed_issuer(std::string(9000, '[')).error(), Code::issuer_missing);
    std::string escapes; // a name of nothing but escapes, longer than any that is trusted
    for (int i = 0; i < 600; ++i)
        escapes += "\\u0069";
    EXPECT_EQ(claimed_issuer(R"({"iss":")" + escapes + R"("})").error(), Code::issuer_missing);
}

} // namespace
} // namespace tenancy::core
