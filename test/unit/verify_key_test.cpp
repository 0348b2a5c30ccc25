// Choice of the key, then what the signature must be.
#include "world.hpp"

#include <string>
#include <utility>

namespace tenancy::test {
namespace {

using core::base64url_encode;

class TokenKey : public World {
protected:
    static core::TrustedKey trusted(const Signer &signer, const char *kid) {
        core::PublicKey key = signer.public_key(crypto());
        const core::Algorithm algorithm = key.algorithm();
        return {kid, algorithm, std::move(key)};
    }
    static core::Issuer issuer_without_kid_rule() {
        core::Issuer issuer{policy(), {}};
        issuer.policy.require_kid = false;
        return issuer;
    }
    static Json header_without_kid() { return {{"alg", "ES256"}}; }
    Code verdict_on_kid(const Json &kid) const {
        Json named = header();
        named["kid"] = kid;
        return verdict_on_header(named);
    }
    // Good claims under a good header with another signature.
    static std::string with_signature(const Json &header, std::string_view signature) {
        return base64url_encode(header.dump()) + '.' + base64url_encode(claims().dump()) + '.' +
               base64url_encode(signature);
    }
    static std::string good_signature(const Json &header) {
        const std::string bytes =
            base64url_encode(header.dump()) + '.' + base64url_encode(claims().dump());
        return header["alg"] == "RS256" ? Signer::rs256().sign("RS256", bytes)
                                        : Signer::es256().sign("ES256", bytes);
    }
};

TEST_F(TokenKey, refuses_a_token_without_kid) {
    EXPECT_EQ(verdict_on_header(header_without_kid()), Code::kid_missing);
}

TEST_F(TokenKey, takes_the_only_key_of_the_algorithm_when_kid_is_optional) {
    core::Issuer issuer = issuer_without_kid_rule();
    issuer.keys.push_back(trusted(Signer::rs256(), "rs"));
    issuers_.add(std::move(issuer));
    EXPECT_EQ(verdict_on_header(header_without_kid()), Code::kid_unknown);

    issuer = issuer_without_kid_rule();
    issuer.keys.push_back(trusted(Signer::rs256(), "rs"));
    issuer.keys.push_back(trusted(Signer::es256(), "es"));
    issuers_.add(std::move(issuer));
    EXPECT_EQ(verdict_on_header(header_without_kid()), Code::ok);
    EXPECT_EQ(verdict_on_kid("nobody"), Code::kid_unknown); // a kid that is there still counts

    issuer = issuer_without_kid_rule();
    issuer.keys.push_back(trusted(Signer::es256(), "es"));
    issuer.keys.push_back(trusted(Signer::es256(1), "es2"));
    issuers_.add(std::move(issuer));
    EXPECT_EQ(verdict_on_header(header_without_kid()), Code::key_ambiguous);
}

TEST_F(TokenKey, counts_only_keys_in_use_when_kid_is_optional) {
    core::Issuer issuer = issuer_without_kid_rule();
    issuer.keys.push_back(trusted(Signer::es256(), "es"));
    issuer.keys.push_back(trusted(Signer::es256(1), "old"));
    issuer.keys.back().valid_until_us = now_us_;
    issuers_.add(std::move(issuer));
    EXPECT_EQ(verdict_on_header(header_without_kid()), Code::ok);
}

TEST_F(TokenKey, refuses_two_keys_of_one_kid) {
    core::Issuer issuer{policy(), {}};
    issuer.keys.push_back(trusted(Signer::es256(), "es"));
    issuer.keys.push_back(trusted(Signer::es256(1), "es"));
    issuers_.add(std::move(issuer));
    EXPECT_EQ(verdict(token(claims())), Code::key_ambiguous);
}

TEST_F(TokenKey, refuses_malformed_kids) {
    for (const Json &kid : {Json(1), Json(nullptr), Json::array({"es"}), Json::object(), Json(""),
                            Json("a\nb"), Json("\x7f"), Json(std::string(257, 'k'))})
        EXPECT_EQ(verdict_on_kid(kid), Code::kid_malformed) << kid;
    EXPECT_EQ(verdict_on_kid(std::string(256, 'k')), Code::kid_unknown);
}

TEST_F(TokenKey, looks_kids_up_as_bytes) {
    for (const char *kid : {"../../dev/null", "' OR 1=1--", ";", "https://evil.example/key", "%00",
                            "ES", "es ", " es", "e", "ess", "*", "${jndi:ldap://x}", "|id"})
        EXPECT_EQ(verdict_on_kid(kid), Code::kid_unknown) << kid;
}

TEST_F(TokenKey, matches_issuers_byte_by_byte) {
    for (const char *issuer :
         {"https://a.example", "https://a.example//", "HTTPS://a.example/", "https://A.example/",
          "https://a.example:443/", "https://a.example/%2f", "https://%61.example/",
          "https://\xD0\xB0.example/", " https://a.example/", "https://a.example/ ", ""}) {
        Json other = claims();
        other["iss"] = issuer;
        EXPECT_EQ(verdict_on_claims(other), Code::issuer_unknown) << issuer;
    }
}

TEST_F(TokenKey, demands_an_issuer) {
    Json nameless = claims();
    nameless.erase("iss");
    EXPECT_EQ(verdict_on_claims(nameless), Code::issuer_missing);
    for (const char *value : {"null", "1", R"(["https://a.example/"])", "{}", "true"})
        EXPECT_EQ(verdict_with("iss", value), Code::issuer_malformed) << value;
}

TEST_F(TokenKey, uses_a_key_only_while_it_is_valid) {
    const auto verdict_at_validity = [this](std::int64_t from, std::int64_t until) {
        core::Issuer issuer{policy(), {}};
        issuer.policy.leeway_seconds = 300; // no help for keys
        issuer.keys.push_back(trusted(Signer::es256(), "es"));
        issuer.keys.back().valid_from_us = from;
        issuer.keys.back().valid_until_us = until;
        issuers_.add(std::move(issuer));
        return verify(token(claims()));
    };
    EXPECT_EQ(why(verdict_at_validity(now_us_ + 1, now_us_ + 2)), Code::key_not_valid_now);
    EXPECT_EQ(why(verdict_at_validity(0, now_us_)), Code::key_not_valid_now);
    const auto verified = verdict_at_validity(now_us_, now_us_ + 1);
    ASSERT_EQ(why(verified), Code::ok);
    EXPECT_EQ(verified->not_before_us, now_us_);
    EXPECT_EQ(verified->expires_us, now_us_ + 1);
}

// Rotation: the new key signs a little early, then is published; the old one is revoked.
TEST_F(TokenKey, follows_rotation) {
    Json next = header();
    next["kid"] = "next";
    const std::string early = Signer::es256(1).token("ES256", next.dump(), claims().dump());
    EXPECT_EQ(verdict(early), Code::kid_unknown);
    core::Issuer both{policy(), {}};
    both.keys.push_back(trusted(Signer::es256(), "es"));
    both.keys.push_back(trusted(Signer::es256(1), "next"));
    issuers_.add(std::move(both));
    EXPECT_EQ(verdict(early), Code::ok);
    EXPECT_EQ(verdict(token(claims())), Code::ok);
    core::Issuer only_next{policy(), {}};
    only_next.keys.push_back(trusted(Signer::es256(1), "next"));
    issuers_.add(std::move(only_next));
    EXPECT_EQ(verdict(early), Code::ok);
    EXPECT_EQ(verdict(token(claims())), Code::kid_unknown);
}

TEST_F(TokenKey, refuses_other_material_under_the_same_kid) {
    core::Issuer swapped{policy(), {}};
    swapped.keys.push_back(trusted(Signer::es256(1), "es"));
    issuers_.add(std::move(swapped));
    EXPECT_EQ(verdict(token(claims())), Code::signature_invalid);
}

TEST_F(TokenKey, demands_exactly_64_bytes_for_es256) {
    const Json head = header();
    const std::string raw = good_signature(head);
    ASSERT_EQ(raw.size(), 64U);
    EXPECT_EQ(verdict(with_signature(head, raw)), Code::ok);
    const std::string r = raw.substr(0, 32);
    const std::string s = raw.substr(32);
    const std::string zero(1, '\0');
    std::string widened = zero; // a sign byte before r and before s
    widened.append(r).append(zero).append(s);
    for (const std::string &wrong :
         {raw.substr(0, 63), raw + zero, zero + raw, raw + raw, widened,
          r + s + std::string(64, '\0'), std::string(132, 'x'), std::string("x")})
        EXPECT_EQ(verdict(with_signature(head, wrong)), Code::signature_invalid) << wrong.size();
}

TEST_F(TokenKey, demands_the_modulus_length_for_rs256) {
    const Json head = header("RS256");
    const std::string raw = good_signature(head);
    ASSERT_EQ(raw.size(), 256U);
    EXPECT_EQ(verdict(with_signature(head, raw)), Code::ok);
    const std::string zero(1, '\0');
    for (const std::string &wrong : {raw.substr(0, 255), raw.substr(1), raw + zero, zero + raw,
                                     raw + raw, std::string(256, '\xff'), std::string(256, '\0')})
        EXPECT_EQ(verdict(with_signature(head, wrong)), Code::signature_invalid) << wrong.size();
}

TEST_F(TokenKey, refuses_pss_under_rs256) {
    const Json head = header("RS256");
    const std::string bytes =
        base64url_encode(head.dump()) + '.' + base64url_encode(claims().dump());
    EXPECT_EQ(verdict(with_signature(head, Signer::rs256().sign("PS256", bytes))),
              Code::signature_invalid);
    EXPECT_EQ(verdict(with_signature(head, Signer::rs256().sign("RS512", bytes))),
              Code::signature_invalid);
}

} // namespace
} // namespace tenancy::test
