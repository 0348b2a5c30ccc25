// PublicKey: a verified public key of one algorithm.
#pragma once

#include "core/pure.hpp"

#include "core/crypto.hpp"
#include "core/result.hpp"

#include <string_view>
#include <utility>

namespace tenancy::core {

/// The two signature algorithms of RFC 7518 that exist here. There is no HMAC code to be confused
/// into.
enum class Algorithm { es256, rs256 };

/// "ES256" or "RS256", the JOSE name.
const char *algorithm_name(Algorithm algorithm);

/// Move-only owner of an EVP_PKEY that passed the checks below. The algorithm is part of the key.
class PublicKey {
public:
    /// P-256 point from exactly 32 bytes each of `x` and `y`, big endian. Errors: key_malformed
    /// (length), key_invalid (not on the curve, a coordinate >= p, infinity).
    static Result<PublicKey> ec_p256(const Crypto &crypto, std::string_view x, std::string_view y);

    /// RSA key from modulus `n` and exponent `e`, unsigned big endian without leading zero bytes.
    /// Accepts 2048..8192 bits, n odd, e odd, 65537 <= e <= 2^256 (FIPS 186-5), no ROCA
    /// fingerprint. The size is checked before any arithmetic. Errors: key_malformed,
    /// key_too_small, key_too_large, key_weak_exponent, key_weak_modulus, key_invalid.
    static Result<PublicKey> rsa(const Crypto &crypto, std::string_view n, std::string_view e);

    Algorithm algorithm() const { return algorithm_; }
    EVP_PKEY *handle() const { return pkey_.get(); }
    /// True when the key was made with `crypto` and is therefore under its provider policy.
    bool belongs_to(const Crypto &crypto) const { return context_ == crypto.context(); }
    /// A verification over SHA-256 that is ready to start. Copied for every use, never used itself:
    /// all look-ups in the provider happen once per key, not once per token.
    const EVP_MD_CTX *verification() const { return verification_.get(); }

private:
    PublicKey(const Crypto &crypto, PkeyPtr pkey, MdCtxPtr verification, Algorithm algorithm)
        : context_(crypto.context()), pkey_(std::move(pkey)),
          verification_(std::move(verification)), algorithm_(algorithm) {}

    static Result<PublicKey> make(const Crypto &crypto, const char *type, OSSL_PARAM *params,
                                  Algorithm algorithm);

    const OSSL_LIB_CTX *context_;
    PkeyPtr pkey_;
    MdCtxPtr verification_;
    Algorithm algorithm_;
};

} // namespace tenancy::core
