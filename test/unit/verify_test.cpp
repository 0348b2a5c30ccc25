// verify() end to end: what is accepted, what comes out, and that nothing else is believed.
#include "world.hpp"

#include <limits>
#include <utility>

#include <openssl/err.h>

namespace tenancy::test {
namespace {

using core::ClaimPath;

constexpr std::int64_t kAbsent = std::numeric_limits<std::int64_t>::min();

class Verify : public World {};

TEST_F(Verify, accepts_es256) {
    const auto verified = verify(token(header("ES256"), claims()));
    ASSERT_EQ(why(verified), Code::ok);
    EXPECT_EQ(verified->tenant_claim, "acme");
    EXPECT_EQ(verified->subject, "alice");
    EXPECT_EQ(verified->token_id, "t-1");
    EXPECT_EQ(verified->key_id, "es");
    EXPECT_EQ(verified->issuer, issuers_.find(kIssuerA));
    EXPECT_EQ(verified->expires_us, (kNow + 60) * kSecond);
    EXPECT_EQ(verified->not_before_us, (kNow - 60) * kSecond);
    EXPECT_EQ(verified->issued_at_us, (kNow - 60) * kSecond);
}

TEST_F(Verify, accepts_rs256) {
    const auto verified = verify(token(header("RS256"), claims()));
    ASSERT_EQ(why(verified), Code::ok);
    EXPECT_EQ(verified->key_id, "rs");
}

TEST_F(Verify, reports_absent_claims_as_absent) {
    auto lax = policy();
    lax.require_subject = false;
    apply(std::move(lax));
    Json some = claims();
    some.erase("sub");
    some.erase("jti");
    some.erase("iat");
    const auto verified = verify(token(some));
    ASSERT_EQ(why(verified), Code::ok);
    EXPECT_EQ(verified->subject, "");
    EXPECT_EQ(verified->token_id, "");
    EXPECT_EQ(verified->issued_at_us, kAbsent);
    EXPECT_EQ(verified->not_before_us, 0); // from the key's own validity
}

TEST_F(Verify, rejects_token_signed_by_another_issuer) {
    Json from_a = claims();
    const std::string forged =
        Signer::es256(1).token("ES256", header().dump(), from_a.dump()); // B's key, same kid
    EXPECT_EQ(verdict(forged), Code::signature_invalid);
    from_a["iss"] = kIssuerB;
    EXPECT_EQ(verdict(Signer::es256(1).token("ES256", header().dump(), from_a.dump())), Code::ok);
}

TEST_F(Verify, resolves_one_kid_inside_each_issuer_only) {
    Json as_b = claims();
    as_b["iss"] = kIssuerB;
    EXPECT_EQ(verdict(token(as_b)), Code::signature_invalid); // A's key claims to be B
    Json rs_of_b = header("RS256");
    EXPECT_EQ(verdict(token(rs_of_b, as_b)), Code::kid_unknown); // B has no key "rs"
}

TEST_F(Verify, rejects_every_change_of_one_character) {
    const std::string good = token(claims());
    ASSERT_EQ(verdict(good), Code::ok);
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        EXPECT_NE(verdict(bad), Code::ok) << "at " << i;
    }
}

TEST_F(Verify, rejects_every_truncation) {
    const std::string good = token(claims());
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_NE(verdict(std::string_view(good).substr(0, size)), Code::ok) << "at " << size;
}

// RFC 8725 section 2.2: the signature covers what was received, not what it would be written as.
TEST_F(Verify, checks_the_signature_over_the_received_bytes) {
    const std::string spaced = "{ \"tenant\" : \"acme\" , \"iss\":\"https:\\/\\/a.example\\/\","
                               "\"aud\":\"agent\",\"sub\":\"alice\",\"exp\":1700000060 }";
    const std::string good = raw_token(R"({ "kid":"es" , "alg":"ES256" })", spaced);
    EXPECT_EQ(verdict(good), Code::ok);
    const std::string rewritten =
        core::base64url_encode(header().dump()) + good.substr(good.find('.'));
    EXPECT_EQ(verdict(rewritten), Code::signature_invalid);
}

TEST_F(Verify, prefers_cheap_refusals_to_the_signature) {
    const auto break_signature = [](std::string token) {
        token.back() = token.back() == 'A' ? 'Q' : 'A';
        return token;
    };
    Json expired = claims();
    expired["exp"] = kNow - 1;
    EXPECT_EQ(verdict(break_signature(token(expired))), Code::token_expired);
    Json stranger = claims();
    stranger["iss"] = "https://c.example/";
    EXPECT_EQ(verdict(break_signature(token(stranger))), Code::issuer_unknown);
    Json unknown = header();
    unknown["kid"] = "nobody";
    EXPECT_EQ(verdict(break_signature(token(unknown, claims()))), Code::kid_unknown);
    Json confused = header("RS256");
    confused["kid"] = "es";
    EXPECT_EQ(verdict(break_signature(token(confused, expired))), Code::algorithm_mismatch);
}

// What is dearer to parse than to verify is parsed only when its signature is good.
TEST_F(Verify, prefers_the_signature_to_a_large_payload) {
    const auto break_signature = [](std::string token) {
        token.back() = token.back() == 'A' ? 'Q' : 'A';
        return token;
    };
    Json large = claims();
    large["pad"] = std::string(2000, 'x');
    EXPECT_EQ(verdict(token(large)), Code::ok);
    EXPECT_EQ(verdict(break_signature(token(large))), Code::signature_invalid);
    large["aud"] = "nobody";
    EXPECT_EQ(verdict(token(large)), Code::audience_not_accepted);
    EXPECT_EQ(verdict(break_signature(token(large))), Code::signature_invalid);
    const std::string text = large.dump();
    large["exp"] = kNow - 1; // seen at once, without either
    EXPECT_EQ(verdict(break_signature(token(large))), Code::token_expired);
    EXPECT_EQ(verdict(raw_token(header().dump(), text.substr(0, text.size() - 1) + R"(,"exp":1})")),
              Code::json_duplicate_member);
    EXPECT_EQ(verdict(raw_token(header().dump(), text + "x")), Code::json_malformed);
}

// The quick look for the issuer only refuses; what is accepted is what the strict parser says.
TEST_F(Verify, takes_the_issuer_from_the_strict_parser) {
    std::string two = claims().dump();
    two.insert(1, R"("\u0069ss":"https://b.example/",)");
    EXPECT_EQ(verdict(raw_token(header().dump(), two)), Code::json_duplicate_member);
    Json nested = claims();
    nested.erase("iss");
    nested["x"] = {{"iss", kIssuerA}};
    EXPECT_EQ(verdict_on_claims(nested), Code::issuer_missing);
}

TEST_F(Verify, bounds_header_and_signature_before_reading_them) {
    Json large = header();
    large["x"] = std::string(3000, 'x');
    EXPECT_EQ(verdict_on_header(large), Code::ok);
    large["x"] = std::string(3100, 'x');
    EXPECT_EQ(verdict_on_header(large), Code::header_too_large);
    const std::string good = token(claims());
    EXPECT_EQ(verdict(good + std::string(1280, 'A')), Code::signature_invalid);
    EXPECT_EQ(verdict(good.substr(0, good.rfind('.') + 1) + std::string(1367, '!')),
              Code::signature_invalid);
}

TEST_F(Verify, names_the_trusted_issuer_a_token_claims) {
    const std::string forged = token(claims()) + "AAAA";
    ASSERT_TRUE(core::issuer_of(issuers_, forged));
    EXPECT_EQ((*core::issuer_of(issuers_, forged))->policy.issuer, kIssuerA);
    EXPECT_EQ(why(core::issuer_of(issuers_, "a.b")), Code::token_malformed);
    Json stranger = claims();
    stranger["iss"] = "https://c.example/";
    EXPECT_EQ(why(core::issuer_of(issuers_, token(stranger))), Code::issuer_unknown);
}

TEST_F(Verify, leaves_the_openssl_error_queue_as_it_was) {
    ERR_clear_error();
    Json claims_of_a = claims();
    const std::string forged =
        Signer::rs256(1).token("RS256", header("RS256").dump(), claims_of_a.dump());
    EXPECT_EQ(verdict(forged), Code::signature_invalid);
    EXPECT_EQ(ERR_peek_error(), 0UL);
    ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
    EXPECT_EQ(verdict(forged), Code::signature_invalid);
    EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), ERR_R_PASSED_INVALID_ARGUMENT);
    ERR_clear_error();
}

TEST_F(Verify, never_grants_without_a_tenant_path) {
    auto pathless = policy();
    pathless.tenant_claim = ClaimPath();
    apply(std::move(pathless));
    EXPECT_EQ(verdict(token(claims())), Code::tenant_claim_missing);
}

TEST_F(Verify, never_grants_from_an_empty_issuer_set) {
    issuers_ = core::IssuerSet();
    EXPECT_EQ(verdict(token(claims())), Code::issuer_unknown);
}

TEST_F(Verify, never_grants_without_keys) {
    core::Issuer keyless{policy(), {}};
    issuers_.add(std::move(keyless));
    EXPECT_EQ(verdict(token(claims())), Code::kid_unknown);
}

TEST_F(Verify, returns_the_payload_of_a_token_as_received) {
    const auto json = core::payload_json(token(claims()));
    ASSERT_EQ(why(json), Code::ok);
    EXPECT_EQ(*json, claims().dump());
    EXPECT_EQ(why(core::payload_json("a.b")), Code::token_malformed);
    EXPECT_EQ(why(core::payload_json("a.b.c")), Code::base64url_malformed);
}

// Two issuers may use one jti: the caller keys revocations by issuer and jti.
TEST_F(Verify, hands_out_jti_together_with_the_issuer) {
    Json of_b = claims();
    of_b["iss"] = kIssuerB;
    const auto a = verify(token(claims()));
    const auto b = verify(Signer::es256(1).token("ES256", header().dump(), of_b.dump()));
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->token_id, b->token_id);
    EXPECT_NE(a->issuer, b->issuer);
}

} // namespace
} // namespace tenancy::test
