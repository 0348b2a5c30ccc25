// Verdicts on tokens, and this backend's cache of them. A verdict never holds the token: it is
// found again by the token's SHA-256.
#pragma once

#include "pg/postgres.hpp"

#include "core/bytes.hpp"
#include "pg/registry.hpp"

#include <cstdint>

namespace tenancy::pg {

inline constexpr std::size_t kMaxIssuerBytes = 512;

// Who a verified token speaks for, and when and under which registry that holds. Plain data.
struct Verdict {
    std::int64_t
        not_before_us; // usable while not_before_us <= now < expires_us (Unix microseconds)
    std::int64_t expires_us;
    uint64 generation; // of the registry that produced it
    RateLimits rates;
    bool has_subject;
    char tenant_id[kMaxTenantBytes + 1];
    char subject[kMaxClaimBytes + 1];
    char issuer[kMaxIssuerBytes + 1];
};

inline bool verdict_holds(const Verdict &verdict, uint64 generation, std::int64_t now_us) {
    return verdict.generation == generation && verdict.not_before_us <= now_us &&
           now_us < verdict.expires_us;
}

// The cached verdict if it still holds, else nullptr. An entry used later than now_us is dropped:
// the clock has stepped back, and an expired verdict must not revive. Never allocates.
const Verdict *verdict_cache_find(const core::Sha256 &digest, uint64 generation,
                                  std::int64_t now_us);

// Remembers a verdict, in place of one of the least recently used. May ereport() on first use.
void verdict_cache_store(const core::Sha256 &digest, const Verdict &, std::int64_t now_us);

} // namespace tenancy::pg
