// Header and algorithm: what the header may say, and that it never picks how it is checked.
#include "world.hpp"

#include <string>
#include <utility>

namespace tenancy::test {
namespace {

using core::base64url_encode;
using core::TypRule;

class TokenHeader : public World {
protected:
    // Good claims under the given header text, signed by A's ES256 key.
    static std::string under(std::string_view header) {
        return Signer::es256().token("ES256", header, claims().dump());
    }
    static std::string hmac_token(std::string_view algorithm, std::string_view secret) {
        const std::string header = R"({"alg":")" + std::string(algorithm) + R"(","kid":"es"})";
        const std::string bytes =
            base64url_encode(header) + '.' + base64url_encode(claims().dump());
        return bytes + '.' + base64url_encode(hmac_sha256(secret, bytes));
    }
    void demand_typ(TypRule rule) {
        auto strict = policy();
        strict.typ = rule;
        apply(std::move(strict));
    }
    Code verdict_on_typ(const Json &typ) const {
        Json typed = header();
        typed["typ"] = typ;
        return verdict_on_header(typed);
    }
};

TEST_F(TokenHeader, demands_an_algorithm) {
    EXPECT_EQ(verdict(under(R"({"kid":"es"})")), Code::algorithm_missing);
    for (const char *value : {"null", "1", "[\"ES256\"]", "{}", "true"})
        EXPECT_EQ(verdict(under(std::string(R"({"kid":"es","alg":)") + value + "}")),
                  Code::algorithm_missing)
            << value;
}

TEST_F(TokenHeader, refuses_none_in_every_spelling) {
    for (const char *name : {"none", "nOnE", "NONE", "None", "", " none"}) {
        const std::string bytes =
            base64url_encode(R"({"kid":"es","alg":")" + std::string(name) + "\"}") + '.' +
            base64url_encode(claims().dump());
        EXPECT_EQ(verdict(bytes + '.'), Code::token_malformed) << name;
        EXPECT_EQ(verdict(bytes + ".AA"), Code::algorithm_not_allowed) << name;
    }
}

TEST_F(TokenHeader, matches_algorithm_names_exactly) {
    for (const char *name : {"es256", "Es256", "ES256 ", "ES2567", "rs256", "ES25", "ES-256"})
        EXPECT_EQ(verdict(under(R"({"kid":"es","alg":")" + std::string(name) + "\"}")),
                  Code::algorithm_not_allowed)
            << name;
    EXPECT_EQ(verdict(under(R"({"kid":"es","alg":"ES256\u0000"})")), Code::json_nul_character);
    EXPECT_EQ(verdict(under(R"({"kid":"es","alg":"ES\u0032\u00356"})")), Code::ok);
}

TEST_F(TokenHeader, refuses_hmac_keyed_with_any_form_of_the_public_key) {
    const Signer &es = Signer::es256();
    for (const std::string &secret :
         {es.public_pem(), es.public_der(), es.jwk("es"), es.number("x"), es.number("y"),
          Signer::rs256().number("n"), std::string("\0", 1)})
        for (const char *name : {"HS256", "HS384", "HS512"})
            EXPECT_EQ(verdict(hmac_token(name, secret)), Code::algorithm_not_allowed) << name;
    // The same bytes under the algorithm of the key are no signature of it.
    EXPECT_EQ(verdict(hmac_token("ES256", es.public_pem())), Code::signature_invalid);
}

TEST_F(TokenHeader, refuses_other_algorithms_with_a_right_signature) {
    for (const char *name : {"RS512", "PS256"}) {
        const std::string token = Signer::rs256().token(
            name, R"({"kid":"rs","alg":")" + std::string(name) + "\"}", claims().dump());
        EXPECT_EQ(verdict(token), Code::algorithm_not_allowed) << name;
    }
    for (const auto &[name, kind] : {std::pair{"ES384", "P-384"}, std::pair{"ES256K", "secp256k1"},
                                     std::pair{"EdDSA", "ED25519"}}) {
        const std::string token = Signer::generate(kind).token(
            name, R"({"kid":"es","alg":")" + std::string(name) + "\"}", claims().dump());
        EXPECT_EQ(verdict(token), Code::algorithm_not_allowed) << name;
    }
}

TEST_F(TokenHeader, refuses_an_algorithm_the_issuer_may_not_use) {
    auto only_rs = policy();
    only_rs.allow_es256 = false;
    apply(std::move(only_rs));
    EXPECT_EQ(verdict_on_header(header("ES256")), Code::algorithm_not_allowed);
    EXPECT_EQ(verdict_on_header(header("RS256")), Code::ok);
    auto only_es = policy();
    only_es.allow_rs256 = false;
    apply(std::move(only_es));
    EXPECT_EQ(verdict_on_header(header("ES256")), Code::ok);
    EXPECT_EQ(verdict_on_header(header("RS256")), Code::algorithm_not_allowed);
}

TEST_F(TokenHeader, refuses_an_algorithm_that_is_not_the_keys) {
    EXPECT_EQ(
        verdict(Signer::rs256().token("RS256", R"({"alg":"RS256","kid":"es"})", claims().dump())),
        Code::algorithm_mismatch);
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"rs"})")), Code::algorithm_mismatch);
}

TEST_F(TokenHeader, refuses_headers_that_bring_a_key) {
    const Signer attacker = Signer::generate("P-256");
    const std::string with_jwk = R"({"alg":"ES256","kid":"es","jwk":)" + attacker.jwk("es") + "}";
    EXPECT_EQ(verdict(attacker.token("ES256", with_jwk, claims().dump())),
              Code::header_embedded_key);
    // Refused even when the token is good without it.
    EXPECT_EQ(verdict(under(with_jwk)), Code::header_embedded_key);
    for (const char *member :
         {R"("jku":"https://evil.example/jwks.json")", R"("x5u":"https://evil.example/cert.pem")",
          R"("x5c":["MIIB"])", R"("jwk":null)", R"("jku":"")"})
        EXPECT_EQ(verdict(under(std::string(R"({"alg":"ES256","kid":"es",)") + member + "}")),
                  Code::header_embedded_key)
            << member;
}

TEST_F(TokenHeader, ignores_certificate_thumbprints) {
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","x5t":"AAAA","x5t#S256":"AAAA"})")),
              Code::ok);
}

TEST_F(TokenHeader, refuses_crit_in_any_form) {
    for (const char *crit : {R"(["exp"])", "[]", R"("exp")", "null", R"(["exp","exp"])",
                             R"(["alg"])", R"(["nowhere"])", R"(["b64"])", "{}", "true"})
        EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","exp":1,"crit":)" + std::string(crit) +
                                "}")),
                  Code::header_crit)
            << crit;
}

TEST_F(TokenHeader, refuses_b64_with_and_without_crit) {
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","b64":false})")), Code::header_b64);
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","b64":true})")), Code::header_b64);
    EXPECT_NE(verdict(under(R"({"alg":"ES256","kid":"es","b64":true,"crit":["b64"]})")), Code::ok);
}

TEST_F(TokenHeader, refuses_compression) {
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","zip":"DEF"})")), Code::header_zip);
}

TEST_F(TokenHeader, refuses_nested_tokens) {
    for (const char *cty : {"JWT", "jwt", "application/jwt", "Application/JWT"})
        EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","cty":")" + std::string(cty) + "\"}")),
                  Code::header_nested)
            << cty;
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","cty":["JWT"]})")), Code::type_malformed);
    EXPECT_EQ(verdict(under(R"({"alg":"ES256","kid":"es","cty":"json"})")), Code::ok);
}

TEST_F(TokenHeader, checks_typ_only_when_demanded) {
    for (const char *typ : {"JWT", "at+jwt", "anything"})
        EXPECT_EQ(verdict_on_typ(typ), Code::ok);
    EXPECT_EQ(verdict_on_typ(Json::array({"JWT"})), Code::type_malformed);
}

TEST_F(TokenHeader, demands_typ_jwt) {
    demand_typ(TypRule::jwt);
    for (const char *typ : {"JWT", "jwt", "application/jwt", "APPLICATION/JWT"})
        EXPECT_EQ(verdict_on_typ(typ), Code::ok) << typ;
    for (const char *typ : {"at+jwt", "dpop+jwt", "logout+jwt", "", "JWT ", "text/jwt", "xjwt",
                            "application/application/jwt"})
        EXPECT_EQ(verdict_on_typ(typ), Code::type_not_accepted) << typ;
    EXPECT_EQ(verdict_on_header(header()), Code::type_not_accepted);
}

TEST_F(TokenHeader, demands_typ_access_token) {
    demand_typ(TypRule::access_token);
    for (const char *typ : {"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"})
        EXPECT_EQ(verdict_on_typ(typ), Code::ok) << typ;
    for (const char *typ : {"JWT", "dpop+jwt", "logout+jwt", "at+jwt2"})
        EXPECT_EQ(verdict_on_typ(typ), Code::type_not_accepted) << typ;
    EXPECT_EQ(verdict_on_header(header()), Code::type_not_accepted);
}

TEST_F(TokenHeader, refuses_other_kinds_of_token_under_the_access_token_rule) {
    Json typed = header();
    typed["typ"] = "at+jwt";
    for (const char *name : {"nonce", "at_hash", "c_hash", "events", "htm", "htu"}) {
        Json other = claims();
        other[name] = "x";
        EXPECT_EQ(verdict(token(typed, other)), Code::ok) << name;
        demand_typ(TypRule::access_token);
        EXPECT_EQ(verdict(token(typed, other)), Code::wrong_token_kind) << name;
        demand_typ(TypRule::any);
    }
}

TEST_F(TokenHeader, refuses_sender_constrained_tokens) {
    for (const char *cnf : {R"({"jkt":"x"})", R"({"x5t#S256":"x"})", "null", "{}"})
        EXPECT_EQ(verdict_with("cnf", cnf), Code::sender_constrained) << cnf;
}

} // namespace
} // namespace tenancy::test
