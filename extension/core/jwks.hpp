// A JSON Web Key Set (RFC 7517 section 5).
#pragma once

#include "core/pure.hpp"

#include "core/jwk.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

inline constexpr std::size_t kMaxJwksBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kMaxJwksKeys = 100;

struct SkippedKey {
    std::string kid; // "" when the key has none, or when its kid is not a usable one
    Code why;
};

struct Jwks {
    std::vector<Jwk> keys; // never empty, in the order of the set
    std::vector<SkippedKey> skipped;
};

/// Parses {"keys":[...]}. A key that is for another purpose, of another type or not sound is
/// skipped with its reason. The whole set is refused when it holds private or symmetric material
/// (key_private, key_symmetric), when two of its keys have one kid (jwks_duplicate_kid, skipped
/// keys count), or when no key is usable (jwks_no_usable_key). Other errors: json_*,
/// jwks_malformed, jwks_too_large (kMaxJwksBytes), jwks_too_many_keys (kMaxJwksKeys).
Result<Jwks> parse_jwks(const Crypto &crypto, std::string_view json);

} // namespace tenancy::core
