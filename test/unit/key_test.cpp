#include "core/key.hpp"

#include "world.hpp"

#include <string>

#include <openssl/err.h>

namespace tenancy::core {
namespace {

using test::crypto;
using test::Signer;

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
}

Code ec(std::string_view x, std::string_view y) {
    return PublicKey::ec_p256(crypto(), x, y).error();
}

Code rsa(std::string_view n, std::string_view e) {
    return PublicKey::rsa(crypto(), n, e).error();
}

std::string big_odd_number(std::size_t bytes, unsigned char first) {
    std::string number(bytes, '\xa5');
    number.front() = static_cast<char>(first);
    return number;
}

const std::string kP256Prime =
    from_hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
const std::string kE = std::string("\x01\x00\x01", 3);

TEST(EcKeys, must_be_on_the_curve) {
    const std::string x = Signer::es256().number("x");
    const std::string y = Signer::es256().number("y");
    EXPECT_EQ(ec(x, y), Code::ok);
    std::string off = y;
    off.back() = static_cast<char>(off.back() ^ 1);
    EXPECT_EQ(ec(x, off), Code::key_invalid);
    EXPECT_EQ(ec(y, x), Code::key_invalid);
    const std::string zero(32, '\0');
    EXPECT_EQ(ec(zero, zero), Code::key_invalid);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(EcKeys, must_have_reduced_coordinates) {
    EXPECT_EQ(ec(kP256Prime, Signer::es256().number("y")), Code::key_invalid);
    EXPECT_EQ(ec(Signer::es256().number("x"), kP256Prime), Code::key_invalid);
    EXPECT_EQ(ec(std::string(32, '\xff'), std::string(32, '\xff')), Code::key_invalid);
    // (0, sqrt(b)) is on the curve, so (p, sqrt(b)) would be too if p were reduced.
    const std::string root_of_b =
        from_hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    EXPECT_EQ(ec(std::string(32, '\0'), root_of_b), Code::ok);
    EXPECT_EQ(ec(kP256Prime, root_of_b), Code::key_invalid);
}

TEST(EcKeys, must_have_coordinates_of_32_bytes) {
    const std::string x = Signer::es256().number("x");
    const std::string y = Signer::es256().number("y");
    const std::string zero(1, '\0');
    EXPECT_EQ(ec(x.substr(1), y), Code::key_malformed);
    EXPECT_EQ(ec(x, y.substr(1)), Code::key_malformed);
    EXPECT_EQ(ec(zero + x, y), Code::key_malformed);
    EXPECT_EQ(ec(x, zero + y), Code::key_malformed);
    EXPECT_EQ(ec("", ""), Code::key_malformed);
    EXPECT_EQ(ec(x + y.substr(0, 1), y.substr(1)), Code::key_malformed);
}

TEST(RsaKeys, must_have_2048_to_8192_bits) {
    const std::string n = Signer::rs256().number("n");
    EXPECT_EQ(rsa(n, kE), Code::ok);
    EXPECT_EQ(rsa(Signer::generate("RSA", 1024).number("n"), kE), Code::key_too_small);
    EXPECT_EQ(rsa(big_odd_number(256, 0x7f), kE), Code::key_too_small);  // 2047 bits
    EXPECT_EQ(rsa(big_odd_number(1025, 0x01), kE), Code::key_too_large); // 8193 bits
    EXPECT_EQ(rsa(big_odd_number(100'000, 0xff), kE), Code::key_too_large);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

TEST(RsaKeys, must_have_a_sound_exponent) {
    const std::string n = Signer::rs256().number("n");
    const auto word = [](unsigned value) {
        return std::string{static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
    };
    for (const std::string &e : {std::string("\x01"), std::string("\x02"), std::string("\x03"),
                                 std::string("\x11"), word(65535), std::string("\x01\x00\x02", 3),
                                 std::string(33, '\x01'), std::string(256, '\xff')})
        EXPECT_EQ(rsa(n, e), Code::key_weak_exponent) << e.size();
    EXPECT_EQ(rsa(n, std::string(32, '\xff')), Code::ok);
    EXPECT_EQ(rsa(n, std::string("\x01\x00\x03", 3)), Code::ok);
}

TEST(RsaKeys, must_be_odd) {
    std::string n = Signer::rs256().number("n");
    n.back() = static_cast<char>(n.back() & ~1);
    EXPECT_EQ(rsa(n, kE), Code::key_weak_modulus);
}

TEST(RsaKeys, must_have_no_leading_zeros) {
    const std::string n = Signer::rs256().number("n");
    const std::string zero(1, '\0');
    EXPECT_EQ(rsa(zero + n, kE), Code::key_malformed);
    EXPECT_EQ(rsa(n, zero + kE), Code::key_malformed);
    EXPECT_EQ(rsa("", kE), Code::key_malformed);
    EXPECT_EQ(rsa(n, ""), Code::key_malformed);
}

TEST(RsaKeys, must_pass_the_checks_of_openssl) {
    std::string with_small_factor(256, '\0'); // 3 * 2^2046 + 3
    with_small_factor.front() = '\xc0';
    with_small_factor.back() = '\x03';
    EXPECT_EQ(rsa(with_small_factor, kE), Code::key_invalid);
    EXPECT_EQ(ERR_peek_error(), 0UL);
}

// A modulus that is a power of 65537 modulo every small prime: 65537 to the power of 129 has 2065
// bits.
TEST(RsaKeys, must_not_have_the_roca_fingerprint) {
    const BignumPtr base(BN_new());
    const BignumPtr exponent(BN_new());
    const BignumPtr power(BN_new());
    const std::unique_ptr<BN_CTX, Free<BN_CTX_free>> context(BN_CTX_new());
    BN_set_word(base.get(), 65537);
    BN_set_word(exponent.get(), 129);
    ASSERT_EQ(BN_exp(power.get(), base.get(), exponent.get(), context.get()), 1);
    std::string n(static_cast<std::size_t>(BN_num_bytes(power.get())), '\0');
    BN_bn2bin(power.get(), reinterpret_cast<unsigned char *>(n.data()));
    EXPECT_EQ(rsa(n, kE), Code::key_weak_modulus);
}

TEST(Keys, know_their_algorithm) {
    EXPECT_EQ(Signer::es256().public_key(crypto()).algorithm(), Algorithm::es256);
    EXPECT_EQ(Signer::rs256().public_key(crypto()).algorithm(), Algorithm::rs256);
    EXPECT_STREQ(algorithm_name(Algorithm::es256), "ES256");
    EXPECT_STREQ(algorithm_name(Algorithm::rs256), "RS256");
}

} // namespace
} // namespace tenancy::core
