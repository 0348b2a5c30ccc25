// One public JSON Web Key (RFC 7517, RFC 7518 section 6).
#pragma once

#include "core/pure.hpp"

#include "core/crypto.hpp"
#include "core/key.hpp"
#include "core/result.hpp"

#include <string>
#include <string_view>

namespace tenancy::core {

struct Jwk {
    std::string kid; // "" when the key has none
    Algorithm algorithm;
    std::string canonical;  // RFC 7638 section 3: canonical JSON of the required members
    std::string thumbprint; // RFC 7638: base64url of the SHA-256 of `canonical`
    PublicKey key;
};

/// Parses one public JWK: kty EC with crv P-256, or RSA. `alg`, when present, must be ES256 or
/// RS256 and fit the type; `use` must be "sig"; `key_ops` must contain "verify"; unknown members
/// are ignored. Errors: json_*, key_malformed, key_private, key_symmetric, key_type_unsupported,
/// key_curve_unsupported, key_algorithm_unsupported, key_not_for_signatures, the errors of
/// PublicKey.
Result<Jwk> parse_jwk(const Crypto &crypto, std::string_view json);

} // namespace tenancy::core
