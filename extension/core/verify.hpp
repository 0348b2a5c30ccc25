// The one public question: is this token good, and whom does it name?
#pragma once

#include "core/pure.hpp"

#include "core/crypto.hpp"
#include "core/policy.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenancy::core {

inline constexpr std::size_t kMaxTokenBytes = 16384;

/// A verdict. Times are Unix microseconds with leeway, key validity and maximum age already
/// applied: the verdict may be used again while not_before_us <= now < expires_us.
struct Verified {
    const Issuer *issuer = nullptr;  // points into the IssuerSet
    const TrustedKey *key = nullptr; // that verified; points into `issuer`
    std::string tenant_claim;        // passed check_claim_value
    std::string subject;             // sub, "" when absent
    std::string token_id;            // jti, "" when absent
    std::string key_id;              // kid of the key that verified, "" when that key has none
    std::int64_t not_before_us = 0;
    std::int64_t expires_us = 0;
    std::int64_t token_expires_us = 0; // exp as it stands
    std::int64_t issued_at_us = 0;     // iat without leeway; INT64_MIN when absent
};

/// Verifies a compact JWS (RFC 7515 section 7.1) as a JWT (RFC 7519) under the policy of its
/// issuer. Cheap refusals first: size, shape, header, issuer, key; then the claims and the
/// signature, over the bytes as received, the cheaper of the two first. Nothing is returned without
/// it. `now_us`: Unix microseconds. `iss` picks the keys; a key never picks the issuer. Throws
/// nothing but std::bad_alloc.
Result<Verified> verify(const Crypto &crypto, const IssuerSet &issuers, std::string_view token,
                        std::int64_t now_us);

/// The trusted issuer that a token, good or not, says it is from. Errors: the shape, base64url,
/// json_* and issuer_* errors of verify().
Result<const Issuer *> issuer_of(const IssuerSet &issuers, std::string_view token);

/// The decoded claims object of an ALREADY VERIFIED token, as received. Checks the shape only.
/// Errors: the shape and base64url errors of verify().
Result<std::string> payload_json(std::string_view token);

} // namespace tenancy::core
