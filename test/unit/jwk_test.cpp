#include "core/jwk.hpp"

#include "world.hpp"

#include <string>

namespace tenancy::core {
namespace {

using test::crypto;
using test::Signer;

const Signer &es() {
    return Signer::es256();
}
const Signer &rs() {
    return Signer::rs256();
}

Code parse(std::string_view json) {
    return parse_jwk(crypto(), json).error();
}

std::string without(const std::string &json, std::string_view member) {
    auto parsed = nlohmann::json::parse(json);
    parsed.erase(std::string(member));
    return parsed.dump();
}

std::string with(const std::string &json, std::string_view member, const nlohmann::json &value) {
    auto parsed = nlohmann::json::parse(json);
    parsed[std::string(member)] = value;
    return parsed.dump();
}

TEST(ParseJwk, reads_both_kinds) {
    const auto ec = parse_jwk(crypto(), es().jwk("k1", R"(,"use":"sig","alg":"ES256")"));
    ASSERT_TRUE(ec);
    EXPECT_EQ(ec->kid, "k1");
    EXPECT_EQ(ec->algorithm, Algorithm::es256);
    const auto rsa = parse_jwk(crypto(), rs().jwk("", R"(,"x5t":"AA","foo":{"bar":[1]})"));
    ASSERT_TRUE(rsa);
    EXPECT_EQ(rsa->kid, "");
    EXPECT_EQ(rsa->algorithm, Algorithm::rs256);
}

// RFC 7638 section 3.1.
TEST(ParseJwk, gives_the_thumbprint_of_the_rfc) {
    const auto jwk = parse_jwk(
        crypto(),
        R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPF)"
        R"(FxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ)"
        R"(5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrd)"
        R"(kt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw)"
        R"(","e":"AQAB","alg":"RS256","kid":"2011-04-29"})");
    ASSERT_TRUE(jwk);
    EXPECT_EQ(jwk->thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EXPECT_TRUE(jwk->canonical.starts_with(R"({"e":"AQAB","kty":"RSA","n":"0vx7)"));
}

TEST(ParseJwk, identifies_a_key_by_its_material_only) {
    const auto a = parse_jwk(crypto(), es().jwk("one", R"(,"use":"sig")"));
    const auto b = parse_jwk(crypto(), es().jwk("two"));
    const auto c = parse_jwk(crypto(), Signer::es256(1).jwk("one"));
    ASSERT_TRUE(a && b && c);
    EXPECT_EQ(a->thumbprint, b->thumbprint);
    EXPECT_EQ(a->canonical, b->canonical);
    EXPECT_NE(a->thumbprint, c->thumbprint);
    EXPECT_TRUE(parse_jwk(crypto(), a->canonical));
}

TEST(ParseJwk, refuses_private_members_of_any_type) {
    for (const char *name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
        EXPECT_EQ(parse(with(es().jwk("k"), name, "AAAA")), Code::key_private) << name;
        EXPECT_EQ(parse(with(rs().jwk("k"), name, nullptr)), Code::key_private) << name;
    }
}

TEST(ParseJwk, refuses_symmetric_keys) {
    EXPECT_EQ(parse(R"({"kty":"oct","k":"AAAA","alg":"HS256"})"), Code::key_symmetric);
    EXPECT_EQ(parse(R"({"kty":"oct"})"), Code::key_symmetric);
}

TEST(ParseJwk, refuses_other_types_and_curves) {
    EXPECT_EQ(parse(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})"), Code::key_type_unsupported);
    EXPECT_EQ(parse(with(es().jwk("k"), "kty", "ec")), Code::key_type_unsupported);
    EXPECT_EQ(parse(without(es().jwk("k"), "kty")), Code::key_malformed);
    EXPECT_EQ(parse(without(es().jwk("k"), "crv")), Code::key_curve_unsupported);
    for (const char *curve : {"P-384", "P-521", "secp256k1", "p-256", "prime256v1", "P-256K"})
        EXPECT_EQ(parse(with(es().jwk("k"), "crv", curve)), Code::key_curve_unsupported) << curve;
}

TEST(ParseJwk, refuses_the_members_of_another_type) {
    EXPECT_EQ(parse(with(es().jwk("k"), "kty", "RSA")), Code::key_malformed);
    EXPECT_EQ(parse(with(rs().jwk("k"), "kty", "EC")), Code::key_curve_unsupported);
}

TEST(ParseJwk, refuses_foreign_algorithms) {
    for (const char *name : {"ES521", "ES224", "ES384", "RS256", "es256", "", "none", "HS256"})
        EXPECT_EQ(parse(with(es().jwk("k"), "alg", name)), Code::key_algorithm_unsupported) << name;
    for (const char *name : {"RSA-OAEP", "RSA1_5", "PS256", "RS512", "ES256"})
        EXPECT_EQ(parse(with(rs().jwk("k"), "alg", name)), Code::key_algorithm_unsupported) << name;
}

TEST(ParseJwk, refuses_keys_for_other_purposes) {
    EXPECT_EQ(parse(with(es().jwk("k"), "use", "enc")), Code::key_not_for_signatures);
    EXPECT_EQ(parse(with(es().jwk("k"), "use", "SIG")), Code::key_not_for_signatures);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", {"sign"})), Code::key_not_for_signatures);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", nlohmann::json::array())),
              Code::key_not_for_signatures);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", {"verify"})), Code::ok);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", {"sign", "verify"})), Code::ok);
}

TEST(ParseJwk, refuses_members_of_the_wrong_type) {
    for (const char *name : {"kty", "crv", "x", "y", "use", "alg", "kid", "key_ops"})
        EXPECT_EQ(parse(with(es().jwk("k"), name, 5)), Code::key_malformed) << name;
    EXPECT_EQ(parse(with(es().jwk("k"), "x", {"AA"})), Code::key_malformed);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", {"verify", 1})), Code::key_malformed);
    EXPECT_EQ(parse(with(es().jwk("k"), "key_ops", {"verify", "verify"})), Code::key_malformed);
}

TEST(ParseJwk, refuses_unusable_kids) {
    for (const std::string &kid : {std::string(), std::string("a\n"), std::string(257, 'k')})
        EXPECT_EQ(parse(with(es().jwk("k"), "kid", kid)), Code::key_malformed) << kid;
    EXPECT_EQ(parse(with(es().jwk("k"), "kid", std::string(256, 'k'))), Code::ok);
}

TEST(ParseJwk, reads_numbers_strictly) {
    const std::string x = nlohmann::json::parse(es().jwk("k"))["x"];
    for (const std::string &odd : {x + "=", x + "A", x.substr(1), x.substr(0, x.size() - 1),
                                   "+" + x, x + " ", std::string("AAAA"), std::string()})
        EXPECT_EQ(parse(with(es().jwk("k"), "x", odd)), Code::key_malformed) << odd;
    EXPECT_EQ(parse(with(rs().jwk("k"), "e", "AAEAAQ")), Code::key_malformed); // leading zero
    EXPECT_EQ(parse(without(rs().jwk("k"), "e")), Code::key_malformed);
    EXPECT_EQ(parse(without(rs().jwk("k"), "n")), Code::key_malformed);
    EXPECT_EQ(parse(without(es().jwk("k"), "y")), Code::key_malformed);
}

TEST(ParseJwk, refuses_what_is_not_one_strict_object) {
    EXPECT_EQ(parse(""), Code::json_malformed);
    EXPECT_EQ(parse("[]"), Code::json_not_object);
    EXPECT_EQ(parse("{}"), Code::key_malformed);
    EXPECT_EQ(parse(es().jwk("k", R"(,"kty":"EC")")), Code::json_duplicate_member);
    EXPECT_EQ(parse(es().jwk("k") + " x"), Code::json_malformed);
}

} // namespace
} // namespace tenancy::core
