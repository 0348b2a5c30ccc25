// Makes keys at run time and signs with them: the issuer's side, which the core does not have.
#pragma once

#include "core/key.hpp"
#include "core/openssl.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tenancy::test {

class Signer {
public:
    /// `kind`: "P-256", "P-384", "secp256k1", "ED25519", or "RSA" with `bits`.
    static Signer generate(std::string_view kind, unsigned bits = 2048);

    /// Keys made once per process, because RSA keys take time. `which`: 0 or 1.
    static const Signer &es256(int which = 0);
    static const Signer &rs256(int which = 0);

    /// A JOSE signature. `algorithm`: ES256, ES384, ES256K, RS256, RS512, PS256 or EdDSA.
    std::string sign(std::string_view algorithm, std::string_view message) const;
    /// A compact token: both JSON texts encoded, joined and signed.
    std::string token(std::string_view algorithm, std::string_view header,
                      std::string_view payload) const;

    /// "x", "y" of an EC key, "n", "e" of an RSA key, raw big endian without leading zeros for RSA.
    std::string number(std::string_view name) const;
    /// The public JWK; `more` is spliced in before the closing brace, e.g. R"(,"use":"sig")".
    std::string jwk(std::string_view kid, std::string_view more = "") const;
    core::PublicKey public_key(const core::Crypto &crypto) const;
    std::string public_pem() const;
    std::string public_der() const;

private:
    explicit Signer(core::PkeyPtr pkey) : pkey_(std::move(pkey)) {}

    bool is_rsa() const;

    core::PkeyPtr pkey_;
};

/// HMAC-SHA-256, for tokens that take a public key for a shared secret.
std::string hmac_sha256(std::string_view key, std::string_view message);

} // namespace tenancy::test
