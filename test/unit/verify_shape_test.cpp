// Shape and encoding, then JSON, of whole tokens.
#include "world.hpp"

#include <string>

namespace tenancy::test {
namespace {

class TokenShape : public World {
protected:
    static std::string good() { return token(claims()); }
    static std::string part(int index) {
        const std::string all = good();
        const std::size_t first = all.find('.');
        const std::size_t second = all.rfind('.');
        if (index == 0)
            return all.substr(0, first);
        return index == 1 ? all.substr(first + 1, second - first - 1) : all.substr(second + 1);
    }
    Code verdict_on_payload(std::string_view json) const {
        return verdict(raw_token(header().dump(), json));
    }
    Code verdict_on_header_text(std::string_view json) const {
        return verdict(raw_token(json, claims().dump()));
    }
};

TEST_F(TokenShape, refuses_the_empty_token) {
    EXPECT_EQ(verdict(""), Code::token_missing);
    EXPECT_EQ(verdict(std::string_view()), Code::token_missing);
}

TEST_F(TokenShape, refuses_one_two_and_four_parts) {
    EXPECT_EQ(verdict(part(0)), Code::token_malformed);
    EXPECT_EQ(verdict(part(0) + '.' + part(1)), Code::token_malformed);
    EXPECT_EQ(verdict(good() + ".x"), Code::token_malformed);
}

TEST_F(TokenShape, refuses_empty_parts) {
    EXPECT_EQ(verdict('.' + part(1) + '.' + part(2)), Code::token_malformed);
    EXPECT_EQ(verdict(part(0) + ".." + part(2)), Code::token_malformed);
    EXPECT_EQ(verdict(part(0) + '.' + part(1) + '.'), Code::token_malformed);
    EXPECT_EQ(verdict(".."), Code::token_malformed);
}

TEST_F(TokenShape, refuses_leading_and_trailing_dots) {
    EXPECT_EQ(verdict('.' + good()), Code::token_malformed);
    EXPECT_EQ(verdict(good() + '.'), Code::token_malformed);
}

TEST_F(TokenShape, names_encrypted_tokens) {
    EXPECT_EQ(verdict("a.b.c.d.e"), Code::token_encrypted);
    EXPECT_EQ(verdict("eyJhbGciOiJkaXIifQ..c.d.e"), Code::token_encrypted);
}

TEST_F(TokenShape, names_the_json_serialization) {
    const std::string flat = R"({"payload":")" + part(1) + R"(","protected":")" + part(0) +
                             R"(","signature":")" + part(2) + R"("})";
    EXPECT_EQ(verdict(flat), Code::token_json_serialization);
}

TEST_F(TokenShape, refuses_white_space_anywhere) {
    for (const char *space : {" ", "\n", "\r\n", "\t", "\v", "\xEF\xBB\xBF", "\xC2\xA0"}) {
        EXPECT_EQ(verdict(space + good()), Code::base64url_malformed);
        EXPECT_EQ(verdict(good() + space), Code::base64url_malformed);
        EXPECT_EQ(verdict(part(0) + space + '.' + part(1) + '.' + part(2)),
                  Code::base64url_malformed);
        EXPECT_EQ(verdict(part(0) + '.' + space + part(1) + '.' + part(2)),
                  Code::base64url_malformed);
    }
}

TEST_F(TokenShape, refuses_the_bearer_prefix) {
    EXPECT_EQ(verdict("Bearer " + good()), Code::base64url_malformed);
}

TEST_F(TokenShape, refuses_padding_and_foreign_characters) {
    for (const char *bytes : {"=", "==", "%3d", "+A==", "/AAA", "\x80\x80", "\xC3\xA9"}) {
        EXPECT_EQ(verdict(good() + bytes), Code::base64url_malformed) << bytes;
        EXPECT_EQ(verdict(part(0) + bytes + '.' + part(1) + '.' + part(2)),
                  Code::base64url_malformed);
        EXPECT_EQ(verdict(part(0) + '.' + part(1) + bytes + '.' + part(2)),
                  Code::base64url_malformed);
    }
    EXPECT_EQ(verdict(good() + std::string(1, '\0')), Code::base64url_malformed);
}

// 64 bytes take 86 characters: the last one carries four unused bits, sixteen spellings.
TEST_F(TokenShape, gives_every_signature_one_spelling) {
    const std::string token = good();
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const std::size_t value = kAlphabet.find(token.back());
    ASSERT_EQ(value % 16, 0U);
    for (std::size_t unused = 1; unused < 16; ++unused) {
        std::string twin = token;
        twin.back() = kAlphabet[value + unused];
        EXPECT_EQ(verdict(twin), Code::base64url_malformed);
    }
}

TEST_F(TokenShape, refuses_large_tokens_before_reading_them) {
    Json fat = claims();
    fat["pad"] = std::string(11'500, 'x');
    const std::string fits = token(fat);
    ASSERT_LT(fits.size(), core::kMaxTokenBytes);
    EXPECT_EQ(verdict(fits), Code::ok);
    fat["pad"] = std::string(12'500, 'x');
    EXPECT_EQ(verdict(token(fat)), Code::token_too_large);
    EXPECT_EQ(verdict(std::string(core::kMaxTokenBytes + 1, '.')), Code::token_too_large);
    EXPECT_EQ(verdict(std::string(core::kMaxTokenBytes, '.')), Code::token_malformed);
    EXPECT_EQ(verdict(std::string(1'000'000, '.')), Code::token_too_large);
}

TEST_F(TokenShape, refuses_header_and_payload_that_are_not_objects) {
    for (const char *json : {"[]", "null", "true", "1", "\"x\""}) {
        EXPECT_EQ(verdict_on_header_text(json), Code::json_not_object) << json;
        EXPECT_EQ(verdict_on_payload(json), Code::json_not_object) << json;
    }
}

TEST_F(TokenShape, refuses_what_is_not_json) {
    const std::string claims_text = claims().dump();
    for (const char *tail : {"x", "{}", ",", " null", "//c", "/*c*/", "\xEF\xBB\xBF"})
        EXPECT_EQ(verdict_on_payload(claims_text + tail), Code::json_malformed) << tail;
    for (const char *json : {"{", R"({"a"})", "{'a':1}", R"({"a":1,})", "{a:1}", R"({"a":NaN})",
                             R"({"a":Infinity})", R"({"a":01})", R"({"a":+1})", R"({"a":.5})",
                             R"({"a":1.})", R"({"a":0x1})", R"({"a":"\x"})", "{\"a\":\"\t\"}"}) {
        EXPECT_EQ(verdict_on_payload(json), Code::json_malformed) << json;
        EXPECT_EQ(verdict_on_header_text(json), Code::json_malformed) << json;
    }
}

TEST_F(TokenShape, refuses_text_that_is_not_utf8) {
    for (const char *value : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", R"("\ud800")",
                              R"("\udc00\ud800")", R"("\ud800x")"})
        EXPECT_EQ(verdict_with("note", value), Code::json_malformed) << value;
    EXPECT_EQ(verdict_on_payload("\xEF\xBB\xBF" + claims().dump()), Code::json_malformed);
    EXPECT_EQ(verdict_with("note", R"("\ud83d\ude00")"), Code::ok);
}

TEST_F(TokenShape, refuses_duplicate_members_in_header_and_payload) {
    EXPECT_EQ(verdict_on_header_text(R"({"alg":"ES256","kid":"es","alg":"ES256"})"),
              Code::json_duplicate_member);
    std::string text = claims().dump();
    text.pop_back();
    EXPECT_EQ(verdict_on_payload(text + R"(,"tenant":"other"})"), Code::json_duplicate_member);
    EXPECT_EQ(verdict_on_payload(text + R"(,"\u0065xp":9999999999})"), Code::json_duplicate_member);
    EXPECT_EQ(verdict_on_payload(text + R"(,"o":{"a":1,"b":2,"a":1}})"),
              Code::json_duplicate_member);
    EXPECT_EQ(verdict_on_payload(text + R"(,"o":{"exp":1,"tenant":2}})"), Code::ok);
}

TEST_F(TokenShape, refuses_deep_nesting) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_EQ(verdict_with("deep", nested(15)), Code::ok); // with the root: 16
    EXPECT_EQ(verdict_with("deep", nested(16)), Code::json_too_deep);
    EXPECT_EQ(verdict_with("deep", nested(5000)), Code::json_too_deep);
}

TEST_F(TokenShape, refuses_nul_in_any_string) {
    for (const char *name : {"tenant", "sub", "iss", "aud", "jti", "note"})
        EXPECT_EQ(verdict_with(name, R"("a\u0000b")"), Code::json_nul_character) << name;
    EXPECT_EQ(verdict_with("aud", R"(["agent","\u0000"])"), Code::json_nul_character);
    EXPECT_EQ(verdict_with("n\\u0000", "1"), Code::json_nul_character);
    EXPECT_EQ(verdict_on_header_text(R"({"alg":"ES256","kid":"es\u0000"})"),
              Code::json_nul_character);
    // A raw NUL would end nlohmann's input early and hide what follows.
    EXPECT_EQ(verdict_on_payload(claims().dump() + std::string("\0{}", 3)),
              Code::json_nul_character);
}

TEST_F(TokenShape, ignores_unknown_claims_and_header_members) {
    Json more = header();
    more["x-custom"] = {{"a", 1}};
    EXPECT_EQ(verdict_on_header(more), Code::ok);
    EXPECT_EQ(verdict_with("roles", R"([{"a":null},2.5,true,"x"])"), Code::ok);
}

TEST_F(TokenShape, tells_claim_names_apart_by_case) {
    Json odd = claims();
    odd.erase("exp");
    odd["Exp"] = kNow + 60;
    EXPECT_EQ(verdict_on_claims(odd), Code::expiry_missing);
    odd = claims();
    odd.erase("iss");
    odd["ISS"] = kIssuerA;
    EXPECT_EQ(verdict_on_claims(odd), Code::issuer_missing);
    odd = claims();
    odd["Tenant"] = "other";
    EXPECT_EQ(verify(token(odd))->tenant_claim, "acme");
}

TEST_F(TokenShape, refuses_integers_beyond_64_bits) {
    for (const char *number : {"9223372036854775808", "18446744073709551616",
                               "18446744073709551617", "-9223372036854775809"}) {
        EXPECT_EQ(verdict_with("exp", number), Code::json_number_out_of_range) << number;
        EXPECT_EQ(verdict_with("other", number), Code::json_number_out_of_range) << number;
    }
    EXPECT_EQ(verdict_with("other", "9223372036854775807"), Code::ok);
    EXPECT_EQ(verdict_with("other", "1e400"), Code::json_number_out_of_range);
}

TEST_F(TokenShape, bounds_the_number_of_values) {
    std::string many = "[";
    for (int i = 0; i < 4200; ++i)
        many += "1,";
    many += "1]";
    EXPECT_EQ(verdict_with("many", many), Code::json_too_many_values);
    Json header = World::header();
    for (int i = 0; i < 60; ++i)
        header["x" + std::to_string(i)] = 1;
    EXPECT_EQ(verdict_on_header(header), Code::ok);
    for (int i = 60; i < 64; ++i)
        header["x" + std::to_string(i)] = 1;
    EXPECT_EQ(verdict_on_header(header), Code::json_too_many_values);
}

// The quick looks at large claims refuse nothing that a parse would accept.
TEST_F(TokenShape, reads_large_claims_as_it_reads_small_ones) {
    const std::string pad = R"({"pad":")" + std::string(2000, 'x') + R"(",)";
    const auto large = [&](std::string_view expiry, std::string_view issuer) {
        return verdict_on_payload(pad + R"("sub":"alice","aud":"agent","tenant":"acme","exp":)" +
                                  std::string(expiry) + R"(,"iss":)" + std::string(issuer) + "}");
    };
    constexpr std::string_view kIssuer = R"("https://a.example/")";
    EXPECT_EQ(large("1700000060", kIssuer), Code::ok);
    EXPECT_EQ(large("1700000060", R"("https:\/\/\u0061.example/")"), Code::ok);
    EXPECT_EQ(large("17000000600e-1", kIssuer), Code::ok);
    EXPECT_EQ(large("1700000000", kIssuer), Code::token_expired);
    EXPECT_EQ(large("1", kIssuer), Code::token_expired);
    EXPECT_EQ(large("1.5", kIssuer), Code::token_expired);
    EXPECT_EQ(large("0", kIssuer), Code::expiry_malformed);
    EXPECT_EQ(large("-1", kIssuer), Code::expiry_malformed);
    EXPECT_EQ(large("1700000060", R"("https:\/\/b.example\/")"), Code::signature_invalid);
    EXPECT_EQ(large("1700000060", "1"), Code::issuer_missing);
}

} // namespace
} // namespace tenancy::test
