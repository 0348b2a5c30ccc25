// What is trusted: issuers, their rules and their keys. Plain data, built by the caller.
#pragma once

#include "core/pure.hpp"

#include "core/bytes.hpp"
#include "core/claim_path.hpp"
#include "core/key.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::core {

inline constexpr std::int64_t kMaxLeewaySeconds = 300;

/// Rule for the `typ` header (RFC 8725 section 3.11), compared without regard to case, with or
/// without the prefix "application/".
enum class TypRule {
    any,         // not checked
    jwt,         // must be JWT
    access_token // must be at+jwt (RFC 9068); ID tokens, logout tokens and DPoP proofs are refused
};

struct IssuerPolicy {
    std::string issuer; // compared byte by byte with `iss`
    /// One of these must be in `aud`, byte by byte. With an empty list no token that has `aud`
    /// passes.
    std::vector<std::string> audiences;
    ClaimPath tenant_claim;
    bool allow_es256 = true;
    bool allow_rs256 = true;
    TypRule typ = TypRule::any;
    /// When not empty, `azp` must be present and in this list.
    std::vector<std::string> authorized_parties;
    std::int64_t leeway_seconds = 0;       // clock skew, cut to 0..kMaxLeewaySeconds
    std::int64_t max_lifetime_seconds = 0; // exp - iat; 0: no limit; otherwise iat is demanded
    std::int64_t max_age_seconds = 0;      // now - iat; 0: no limit; otherwise iat is demanded
    bool require_subject = true;
    bool require_kid =
        true; // false: without kid, exactly one usable key of the algorithm must exist
    /// Each token counts once, in one transaction that commits: it must have a `jti`. The caller
    /// keeps the record.
    bool one_time = false;
    bool require_audience =
        true; // false: a token without `aud` passes; one with `aud` must still match
};

struct TrustedKey {
    std::string kid;
    Algorithm algorithm;
    PublicKey key;
    /// Unix microseconds; good while valid_from_us <= now < valid_until_us. No leeway here.
    std::int64_t valid_from_us = 0;
    std::int64_t valid_until_us = std::numeric_limits<std::int64_t>::max();
    Sha256 identity{}; // for the caller's records; the core does not look at it
};

struct Issuer {
    IssuerPolicy policy;
    std::vector<TrustedKey> keys;
    Sha256 fingerprint{}; // of policy and keys, for the caller's records
};

/// Issuers by their exact name. Pointers from find() stay good until that issuer is replaced.
class IssuerSet {
public:
    /// Adds an issuer under policy.issuer; one of the same name is replaced whole. Returns it as it
    /// is kept.
    const Issuer &add(Issuer issuer);

    /// Null when unknown. Byte comparison: no normalization of any kind.
    const Issuer *find(std::string_view issuer) const;

private:
    std::map<std::string, Issuer, std::less<>> issuers_;
};

} // namespace tenancy::core
