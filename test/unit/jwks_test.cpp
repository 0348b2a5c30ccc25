#include "core/jwks.hpp"

#include "world.hpp"

#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>

namespace tenancy::core {
namespace {

using test::crypto;
using test::Signer;

std::string set_of(std::initializer_list<std::string> keys) {
    std::string json = R"({"keys":[)";
    for (const std::string &key : keys)
        json.append(key).append(",");
    if (json.back() == ',')
        json.pop_back();
    return json + "]}";
}

Code parse(std::string_view json) {
    return parse_jwks(crypto(), json).error();
}

std::string es(std::string_view kid, std::string_view more = "") {
    return Signer::es256().jwk(kid, more);
}

std::string rs(std::string_view kid, std::string_view more = "") {
    return Signer::rs256().jwk(kid, more);
}

TEST(ParseJwks, keeps_usable_keys_in_order) {
    const auto jwks = parse_jwks(crypto(), set_of({es("a"), rs("b"), Signer::es256(1).jwk("c")}));
    ASSERT_TRUE(jwks);
    ASSERT_EQ(jwks->keys.size(), 3U);
    EXPECT_EQ(jwks->keys[0].kid, "a");
    EXPECT_EQ(jwks->keys[1].algorithm, Algorithm::rs256);
    EXPECT_EQ(jwks->keys[2].kid, "c");
    EXPECT_TRUE(jwks->skipped.empty());
}

// Identity providers publish encryption keys and keys of other algorithms in the same set.
TEST(ParseJwks, skips_keys_for_other_purposes_and_says_why) {
    const auto jwks = parse_jwks(
        crypto(), set_of({rs("enc", R"(,"use":"enc","alg":"RSA-OAEP")"), es("good"),
                          es("ops", R"(,"key_ops":["encrypt"])"), rs("ps", R"(,"alg":"PS256")"),
                          R"({"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"ed"})",
                          R"({"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA","kid":"p384"})",
                          R"({"kty":"RSA","n":"AQAB","e":"AQAB","kid":"small"})", R"({"kid":5})"}));
    ASSERT_TRUE(jwks);
    ASSERT_EQ(jwks->keys.size(), 1U);
    EXPECT_EQ(jwks->keys[0].kid, "good");
    const std::pair<const char *, Code> expected[] = {{"enc", Code::key_not_for_signatures},
                                                      {"ops", Code::key_not_for_signatures},
                                                      {"ps", Code::key_algorithm_unsupported},
                                                      {"ed", Code::key_type_unsupported},
                                                      {"p384", Code::key_curve_unsupported},
                                                      {"small", Code::key_too_small},
                                                      {"", Code::key_malformed}};
    ASSERT_EQ(jwks->skipped.size(), std::size(expected));
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(jwks->skipped[i].kid, expected[i].first);
        EXPECT_EQ(jwks->skipped[i].why, expected[i].second) << expected[i].first;
    }
}

TEST(ParseJwks, refuses_the_whole_set_for_private_or_symmetric_material) {
    EXPECT_EQ(parse(set_of({es("a"), rs("b", R"(,"d":"AAAA")")})), Code::key_private);
    EXPECT_EQ(parse(set_of({es("a"), R"({"kty":"oct","k":"AAAA","kid":"h"})"})),
              Code::key_symmetric);
    EXPECT_EQ(parse(set_of({R"({"kty":"oct","k":"AAAA","kid":"h"})", es("a")})),
              Code::key_symmetric);
    // Also in a key that would be skipped.
    EXPECT_EQ(parse(set_of({es("a"), R"({"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"AAAA"})"})),
              Code::key_private);
}

TEST(ParseJwks, refuses_two_keys_of_one_kid) {
    EXPECT_EQ(parse(set_of({es("a"), rs("a")})), Code::jwks_duplicate_kid);
    EXPECT_EQ(parse(set_of({es("a"), rs("b"), rs("a", R"(,"use":"enc")")})),
              Code::jwks_duplicate_kid);
    EXPECT_EQ(parse(set_of({es("a"), rs("\\u0061")})), Code::jwks_duplicate_kid);
    EXPECT_EQ(parse(set_of({es(""), rs("")})), Code::ok); // no kid is no name
}

TEST(ParseJwks, refuses_sets_without_a_usable_key) {
    EXPECT_EQ(parse(R"({"keys":[]})"), Code::jwks_no_usable_key);
    EXPECT_EQ(parse(set_of({rs("a", R"(,"use":"enc")")})), Code::jwks_no_usable_key);
    EXPECT_EQ(parse(set_of({"{}"})), Code::jwks_no_usable_key);
}

TEST(ParseJwks, refuses_what_is_no_key_set) {
    for (const char *json :
         {"{}", R"({"keys":{}})", R"({"keys":null})", R"({"keys":"x"})", R"({"keys":[1]})",
          R"({"keys":[[]]})", R"({"keys":[null]})", R"({"Keys":[]})", R"({"a":{"keys":[]}})"})
        EXPECT_EQ(parse(json), Code::jwks_malformed) << json;
    EXPECT_EQ(parse(es("a")), Code::jwks_malformed);
    EXPECT_EQ(parse("[]"), Code::json_not_object);
    EXPECT_EQ(parse(""), Code::json_malformed);
    EXPECT_EQ(parse(set_of({es("a")}) + "x"), Code::json_malformed);
}

TEST(ParseJwks, refuses_duplicate_members) {
    EXPECT_EQ(parse(R"({"keys":[],"keys":[)" + es("a") + "]}"), Code::json_duplicate_member);
    EXPECT_EQ(parse(set_of({es("a", R"(,"x":"AAAA")")})), Code::json_duplicate_member);
    EXPECT_EQ(parse(set_of({es("a", R"(,"x5x":[{"a":1,"a":2}])")})), Code::json_duplicate_member);
}

TEST(ParseJwks, bounds_the_number_of_keys) {
    const auto keys = [](std::size_t count) {
        std::string json = R"({"keys":[)" + es("usable");
        for (std::size_t i = 1; i < count; ++i)
            json.append(R"(,{"kid":")" + std::to_string(i) + "\"}");
        return json + "]}";
    };
    EXPECT_EQ(parse(keys(kMaxJwksKeys)), Code::ok);
    EXPECT_EQ(parse(keys(kMaxJwksKeys + 1)), Code::jwks_too_many_keys);
    EXPECT_EQ(parse(keys(10'000)), Code::jwks_too_many_keys);
}

TEST(ParseJwks, bounds_size_depth_and_values) {
    EXPECT_EQ(parse(std::string(kMaxJwksBytes + 1, ' ')), Code::jwks_too_large);
    EXPECT_EQ(parse(std::string(2'000'000, ' ')), Code::jwks_too_large);
    std::string padded = set_of({es("a")});
    padded.insert(0, kMaxJwksBytes - padded.size(), ' ');
    EXPECT_EQ(parse(padded), Code::ok);
    EXPECT_EQ(parse(set_of({es("a", ",\"z\":" + std::string(6, '[') + std::string(6, ']'))})),
              Code::json_too_deep);
    std::string many = ",\"z\":[0";
    for (int i = 0; i < 17'000; ++i)
        many += ",0";
    EXPECT_EQ(parse(set_of({es("a", many + "]")})), Code::json_too_many_values);
}

} // namespace
} // namespace tenancy::core
