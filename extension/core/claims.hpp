// The claims of a token: what is read from them, and what the issuer's policy makes of it.
#pragma once

#include "core/pure.hpp"

#include "core/policy.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

struct Claims {
    std::optional<std::string> issuer;
    std::optional<std::string> subject;
    std::optional<std::vector<std::string>> audiences;
    std::optional<std::string> authorized_party;
    std::optional<std::string> token_id;
    std::optional<std::int64_t> expires_us;
    std::optional<std::int64_t> not_before_us;
    std::optional<std::int64_t> issued_at_us;
    bool is_sender_constrained = false; // cnf (RFC 7800)
    bool is_other_kind = false;         // has claims of an ID token, a logout token or a DPoP proof
    bool has_tenant = false;            // there is a value at the tenant's path
    std::optional<std::string> tenant;  // when it is a string
};

/// When a verdict on the claims holds: from_us <= now < until_us.
struct Window {
    std::int64_t from_us;
    std::int64_t until_us;
};

/// Bytes of JSON from which on it is dearer to parse than a signature is to check.
inline constexpr std::size_t kLargeClaimsBytes = 1536;

/// The `iss` of a payload, good JSON or not: what it says decides which policy it is judged by, no
/// more. Errors: issuer_missing, issuer_malformed, json_*; of large claims only issuer_missing,
/// whatever is wrong with them.
Result<std::string> claimed_issuer(std::string_view json);

/// Whether check_claims() would find the token expired, if the payload is good JSON at all. False
/// says nothing.
bool is_surely_expired(const IssuerPolicy &policy, std::string_view json, std::int64_t now_us);

/// Parses the decoded payload, and takes the tenant from `tenant_path`. Registered claims must have
/// their registered type, wherever they are not needed too; names are case-sensitive; others are
/// ignored. Errors: json_*, *_malformed.
Result<Claims> parse_claims(std::string_view json, const ClaimPath &tenant_path);

/// Checks everything but issuer, key and tenant at `now_us`. RFC 7519 section 4.1: on or after exp
/// is expired. Leeway is applied to every comparison with the clock. The result is where the same
/// answer would be given again.
Result<Window> check_claims(const IssuerPolicy &policy, const Claims &claims, std::int64_t now_us);

/// The tenant's name, a string at exactly the path that was given.
/// Errors: tenant_claim_missing, tenant_claim_malformed.
Result<std::string> tenant_of(const Claims &claims);

} // namespace tenancy::core
