#include "core/key.hpp"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string>

namespace tenancy::core {
namespace {

constexpr std::size_t kCoordinateBytes = 32;
constexpr std::size_t kMinRsaBits = 2048;
constexpr std::size_t kMaxRsaBits = 8192;
constexpr BN_ULONG kMinExponent = 65537;
constexpr std::size_t kMaxExponentBytes = 32; // e is odd, so e <= 2^256 is e < 2^256

BignumPtr bignum_of(std::string_view big_endian) {
    return BignumPtr(BN_bin2bn(bytes_of(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

std::size_t bits_of(std::string_view big_endian) {
    return (big_endian.size() - 1) * 8 +
           static_cast<std::size_t>(std::bit_width(static_cast<unsigned char>(big_endian.front())));
}

bool is_odd(std::string_view big_endian) {
    return (static_cast<unsigned char>(big_endian.back()) & 1) != 0;
}

bool is_in_subgroup_of_65537(unsigned prime, BN_ULONG residue) {
    unsigned power = 1;
    do {
        if (power == residue)
            return true;
        power = power * 65537 % prime;
    } while (power != 1);
    return false;
}

// Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's Attack" (CCS 2017): primes of
// the flawed library are k * M + (65537^a mod M), so n modulo every small prime is a power of
// 65537. A sound modulus passes for such a one with a probability of about 2^-27.
bool has_roca_fingerprint(const BIGNUM *n) {
    constexpr std::array<unsigned, 38> kPrimes = {
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    return std::all_of(kPrimes.begin(), kPrimes.end(), [n](unsigned prime) {
        return is_in_subgroup_of_65537(prime, BN_mod_word(n, prime));
    });
}

// Builds the key in our library context and lets the provider check it.
Result<PkeyPtr> import(const Crypto &crypto, const char *type, OSSL_PARAM *params) {
    const PkeyCtxPtr maker(EVP_PKEY_CTX_new_from_name(crypto.context(), type, crypto.properties()));
    if (!maker || EVP_PKEY_fromdata_init(maker.get()) != 1)
        return Code::crypto_unavailable;
    EVP_PKEY *raw = nullptr;
    const int made = EVP_PKEY_fromdata(maker.get(), &raw, EVP_PKEY_PUBLIC_KEY, params);
    PkeyPtr pkey(raw);
    if (made != 1 || !pkey)
        return Code::key_invalid;
    const PkeyCtxPtr checker(
        EVP_PKEY_CTX_new_from_pkey(crypto.context(), pkey.get(), crypto.properties()));
    if (!checker)
        return Code::crypto_unavailable;
    if (EVP_PKEY_public_check(checker.get()) != 1)
        return Code::key_invalid;
    return pkey;
}

// Whether the provider of our choice holds the key and will check its signatures, rather than some
// other one that fits the property query as well.
bool is_done_by_our_provider(const Crypto &crypto, const EVP_PKEY *pkey, EVP_MD_CTX *verification) {
    return EVP_PKEY_get0_provider(pkey) == crypto.provider() &&
           EVP_PKEY_CTX_get0_provider(EVP_MD_CTX_get_pkey_ctx(verification)) == crypto.provider();
}

Code check_rsa_numbers(std::string_view n, std::string_view e) {
    if (n.empty() || e.empty() || n.front() == 0 || e.front() == 0)
        return Code::key_malformed;
    if (bits_of(n) < kMinRsaBits)
        return Code::key_too_small;
    if (bits_of(n) > kMaxRsaBits)
        return Code::key_too_large;
    if (!is_odd(n))
        return Code::key_weak_modulus;
    if (!is_odd(e) || e.size() > kMaxExponentBytes)
        return Code::key_weak_exponent;
    return Code::ok;
}

} // namespace

const char *algorithm_name(Algorithm algorithm) {
    return algorithm == Algorithm::es256 ? "ES256" : "RS256";
}

Result<PublicKey> PublicKey::make(const Crypto &crypto, const char *type, OSSL_PARAM *params,
                                  Algorithm algorithm) {
    Result<PkeyPtr> pkey = import(crypto, type, params);
    if (!pkey)
        return pkey.error();
    MdCtxPtr verification(EVP_MD_CTX_new());
    if (!verification ||
        EVP_DigestVerifyInit_ex(verification.get(), nullptr, "SHA256", crypto.context(),
                                crypto.properties(), pkey->get(), nullptr) != 1 ||
        !is_done_by_our_provider(crypto, pkey->get(), verification.get()))
        return Code::crypto_unavailable;
    return PublicKey(crypto, std::move(*pkey), std::move(verification), algorithm);
}

Result<PublicKey> PublicKey::ec_p256(const Crypto &crypto, std::string_view x, std::string_view y) {
    const ErrorMark mark;
    if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes)
        return Code::key_malformed;
    std::string point("\x04"); // SEC 1 section 2.3.3: uncompressed
    point.append(x).append(y);
    std::string group = SN_X9_62_prime256v1;
    std::array<OSSL_PARAM, 3> params = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end()};
    return make(crypto, "EC", params.data(), Algorithm::es256);
}

Result<PublicKey> PublicKey::rsa(const Crypto &crypto, std::string_view n, std::string_view e) {
    const ErrorMark mark;
    if (const Code why = check_rsa_numbers(n, e); why != Code::ok)
        return why;
    const BignumPtr modulus = bignum_of(n);
    const BignumPtr exponent = bignum_of(e);
    const ParamBldPtr builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || !builder)
        return Code::crypto_unavailable;
    const bool is_small = BN_num_bits(exponent.get()) <= 17; // 65537 has 17 bits
    if (is_small && BN_get_word(exponent.get()) < kMinExponent)
        return Code::key_weak_exponent;
    if (has_roca_fingerprint(modulus.get()))
        return Code::key_weak_modulus;
    if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        return Code::crypto_unavailable;
    const ParamPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
    if (!params)
        return Code::crypto_unavailable;
    return make(crypto, "RSA", params.get(), Algorithm::rs256);
}

} // namespace tenancy::core
