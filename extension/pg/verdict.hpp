// Verdicts on tokens, and this backend's cache of them. A verdict never holds the token: it is
// found again by the token's SHA-256.
#pragma once

#include "pg/postgres.hpp"

#include "core/bytes.hpp"
#include "pg/registry.hpp"

#include <cstdint>

namespace tenancy::pg {

// What the signature check has shown, whatever becomes of tenant and token later: good for every
// backend whose registry has the same fingerprint. Plain data.
struct Proof {
    std::int64_t
        not_before_us; // usable while not_before_us <= now < expires_us (Unix microseconds)
    std::int64_t expires_us;
    std::int64_t token_expires_us; // exp as it stands
    std::int64_t issued_at_us;     // iat; INT64_MIN when absent
    core::Sha256 fingerprint;      // of the policy and keys that produced it
    core::Sha256 key;              // identity of the key
    char tenant_claim[kMaxClaimBytes + 1];
    char subject[kMaxClaimBytes + 1];  // "" when absent
    char token_id[kMaxClaimBytes + 1]; // jti, "" when absent
};

// Who a verified token speaks for. Plain data.
struct Verdict {
    Proof proof;
    uint64 generation; // of the registry that judged it
    RateLimits rates;
    bool is_one_time; // the token counts in one transaction only
    char tenant_id[kMaxTenantBytes + 1];
    char issuer[kMaxIssuerBytes + 1];
};

inline bool proof_is_in_time(const Proof &proof, std::int64_t now_us) {
    return proof.not_before_us <= now_us && now_us < proof.expires_us;
}

inline bool verdict_holds(const Verdict &verdict, uint64 generation, std::int64_t now_us) {
    return verdict.generation == generation && proof_is_in_time(verdict.proof, now_us);
}

// The cached verdict if its times hold, else nullptr; the caller looks at its generation. An entry
// used later than now_us is dropped: the clock has stepped back, and an expired verdict must not
// revive. Never allocates.
const Verdict *verdict_cache_find(const core::Sha256 &digest, std::int64_t now_us);

// Remembers a verdict, in place of one of the least recently used. May ereport() on first use.
void verdict_cache_store(const core::Sha256 &digest, const Verdict &, std::int64_t now_us);

} // namespace tenancy::pg
