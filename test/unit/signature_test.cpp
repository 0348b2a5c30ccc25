#include "core/signature.hpp"

#include "rfc7515.hpp"
#include "world.hpp"

#include "core/base64url.hpp"
#include "core/jwk.hpp"
#include "core/jwt.hpp"

#include <string>

#include <openssl/err.h>

namespace tenancy::core {
namespace {

using test::crypto;
using test::Signer;

// The order n of P-256 (SEC 2 section 2.4.2).
std::string order() {
    return *base64url_decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
}

std::string plus(std::string number, int difference) {
    number.back() = static_cast<char>(number.back() + difference);
    return number;
}

Code check_es(std::string_view signature) {
    return check_signature(crypto(), Signer::es256().public_key(crypto()), Algorithm::es256, "m",
                           signature);
}

TEST(Signatures, of_rfc_7515_verify) {
    for (const auto &[jwk, token] : {std::pair{test::kRfc7515A2Jwk, test::kRfc7515A2Token},
                                     std::pair{test::kRfc7515A3Jwk, test::kRfc7515A3Token}}) {
        const auto key = parse_jwk(crypto(), jwk);
        const auto parts = split_token(token);
        ASSERT_TRUE(key && parts);
        const std::string signature = *base64url_decode(parts->signature);
        EXPECT_EQ(
            check_signature(crypto(), key->key, key->algorithm, parts->signed_bytes, signature),
            Code::ok);
        EXPECT_EQ(check_signature(crypto(), key->key, key->algorithm, parts->payload, signature),
                  Code::signature_invalid);
    }
}

TEST(Signatures, bind_the_algorithm_to_the_key) {
    const std::string of_es = Signer::es256().sign("ES256", "m");
    const std::string of_rs = Signer::rs256().sign("RS256", "m");
    const PublicKey es = Signer::es256().public_key(crypto());
    const PublicKey rs = Signer::rs256().public_key(crypto());
    EXPECT_EQ(check_signature(crypto(), es, Algorithm::es256, "m", of_es), Code::ok);
    EXPECT_EQ(check_signature(crypto(), rs, Algorithm::rs256, "m", of_rs), Code::ok);
    EXPECT_EQ(check_signature(crypto(), es, Algorithm::rs256, "m", of_es),
              Code::algorithm_mismatch);
    EXPECT_EQ(check_signature(crypto(), rs, Algorithm::es256, "m", of_rs),
              Code::algorithm_mismatch);
}

// A key made under another provider policy is not used under this one.
TEST(Signatures, need_a_key_of_the_same_context) {
    const auto other = Crypto::create();
    ASSERT_TRUE(other);
    const PublicKey key = Signer::es256().public_key(**other);
    const std::string good = Signer::es256().sign("ES256", "m");
    EXPECT_EQ(check_signature(**other, key, Algorithm::es256, "m", good), Code::ok);
    EXPECT_EQ(check_signature(crypto(), key, Algorithm::es256, "m", good),
              Code::crypto_unavailable);
}

// CVE-2022-21449: zero verified everything once.
TEST(Signatures, with_scalars_out_of_range_are_refused) {
    const std::string zero(32, '\0');
    const std::string one = plus(zero, 1);
    const std::string p = *base64url_decode("_____wAAAAEAAAAAAAAAAAAAAAD_______________8");
    const std::string high(32, '\xff');
    const std::string good = Signer::es256().sign("ES256", "m");
    for (const std::string &scalar :
         {zero, one, order(), plus(order(), 1), plus(order(), -1), p, high}) {
        for (const std::string &other : {zero, one, order(), plus(order(), -1)})
            EXPECT_EQ(check_es(scalar + other), Code::signature_invalid);
        EXPECT_EQ(check_es(scalar + good.substr(32)), Code::signature_invalid);
        EXPECT_EQ(check_es(good.substr(0, 32) + scalar), Code::signature_invalid);
    }
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

// JOSE has no low-s rule: a signature is no identity, which is why replay is judged by jti.
TEST(Signatures, verify_with_s_and_with_its_negative) {
    const std::string good = Signer::es256().sign("ES256", "m");
    const std::string n_bytes = order();
    const BignumPtr n(BN_bin2bn(bytes_of(n_bytes), 32, nullptr));
    const BignumPtr s(BN_bin2bn(bytes_of(good) + 32, 32, nullptr));
    ASSERT_EQ(BN_sub(s.get(), n.get(), s.get()), 1);
    std::string twin = good;
    ASSERT_EQ(BN_bn2binpad(s.get(), reinterpret_cast<unsigned char *>(twin.data()) + 32, 32), 32);
    EXPECT_NE(twin, good);
    EXPECT_EQ(check_es(good), Code::ok);
    EXPECT_EQ(check_es(twin), Code::ok);
}

TEST(Signatures, in_der_are_refused) {
    const std::string raw = Signer::es256().sign("ES256", "m");
    const EcdsaSigPtr pair(ECDSA_SIG_new());
    ECDSA_SIG_set0(pair.get(), BN_bin2bn(bytes_of(raw), 32, nullptr),
                   BN_bin2bn(bytes_of(raw) + 32, 32, nullptr));
    unsigned char *der = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &der);
    ASSERT_GT(size, 64);
    EXPECT_EQ(check_es(view_of(der, static_cast<std::size_t>(size))), Code::signature_invalid);
    OPENSSL_free(der);
}

TEST(Signatures, of_rsa_must_be_below_the_modulus) {
    const PublicKey rs = Signer::rs256().public_key(crypto());
    const std::string n = Signer::rs256().number("n");
    EXPECT_EQ(check_signature(crypto(), rs, Algorithm::rs256, "m", n), Code::signature_invalid);
    const std::string good = Signer::rs256().sign("RS256", "m");
    const BignumPtr sum(BN_bin2bn(bytes_of(good), 256, nullptr));
    const BignumPtr modulus(BN_bin2bn(bytes_of(n), 256, nullptr));
    BN_add(sum.get(), sum.get(), modulus.get());
    std::string larger(static_cast<std::size_t>(BN_num_bytes(sum.get())), '\0');
    BN_bn2bin(sum.get(), reinterpret_cast<unsigned char *>(larger.data()));
    EXPECT_EQ(check_signature(crypto(), rs, Algorithm::rs256, "m", larger),
              Code::signature_invalid);
    EXPECT_EQ(check_signature(crypto(), rs, Algorithm::rs256, "m", ""), Code::signature_invalid);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(Signatures, never_fill_the_error_queue) {
    ERR_clear_error();
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(check_es(std::string(64, '\xff')), Code::signature_invalid);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

} // namespace
} // namespace tenancy::core
