// The signature check itself, apart from tokens so that raw test vectors run through the same code.
#pragma once

#include "core/pure.hpp"

#include "core/crypto.hpp"
#include "core/key.hpp"

#include <string_view>

namespace tenancy::core {

/// `ok` when `signature` is `key`'s over `message`, as RFC 7518 defines it: ES256 (section 3.4) is
/// exactly 64 bytes, r then s; RS256 (section 3.3) is PKCS #1 v1.5 and as long as the modulus.
/// ECDSA is malleable (s and n - s both verify): a signature is no identity, use jti. Errors:
/// algorithm_mismatch when `algorithm` is not the key's, signature_invalid, crypto_unavailable.
/// Leaves the OpenSSL error queue as it was.
Code check_signature(const Crypto &crypto, const PublicKey &key, Algorithm algorithm,
                     std::string_view message, std::string_view signature);

} // namespace tenancy::core
