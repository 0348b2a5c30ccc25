// This backend's copy of the trusted issuers and their keys, and the look-up of tenants. Tables of
// schema tenancy are the truth; they are read as heap, so no SQL, search_path or privilege of the
// calling role takes part.
#pragma once

#include "pg/postgres.hpp"

#include "core/bytes.hpp"
#include "core/policy.hpp"

#include <cstdint>

namespace tenancy::pg {

inline constexpr std::size_t kMaxTenantBytes = 128;
inline constexpr std::size_t kMaxClaimBytes = 255;
inline constexpr std::size_t kMaxIssuerBytes = 512;

// Request and token rates of a tenant; 0 = no such limit. Plain data.
struct RateLimits {
    std::int64_t requests_per_minute, burst;
    std::int64_t tokens_per_minute;
    std::int64_t subject_requests_per_minute; // of each subject
};

// What an administrator has said about the tenant a claim names. Plain data.
struct TenantEntry {
    bool known;
    bool suspended;
    RateLimits rates;
    char tenant_id[kMaxTenantBytes + 1];
};

// What an administrator has revoked of an issuer's token. Plain data.
struct Revocation {
    bool of_token;                 // by its jti
    std::int64_t issued_before_us; // the subject's older tokens; INT64_MIN: none
};

// Registers the invalidation callback of this backend. Called when the module is loaded.
void registry_initialize();

// Takes in what other backends have committed and reloads the issuers and keys if they changed.
// Returns the generation of the whole registry: a verdict of this generation needs no second look.
// May ereport().
uint64 registry_refresh();

// Valid after registry_refresh(), until the next one.
const core::IssuerSet &registry_issuers();

// The trusted issuer with this fingerprint of policy and keys, nullptr when there is none (any
// more). What was verified under the fingerprint, in whatever backend, would verify again.
const core::Issuer *registry_find_fingerprint(const core::Sha256 &fingerprint);

// Tenant that the claim value of this issuer names. May ereport().
TenantEntry registry_find_tenant(const char *issuer, const char *claim_value);

// Revocations that may concern a token; an empty jti or subject has none. May ereport().
Revocation registry_find_revocation(const char *issuer, const char *token_id, const char *subject);

// Rates of a tenant that is known by other means than a token. May ereport().
RateLimits registry_find_rates(const char *tenant_id);

// Current time, microseconds since the Unix epoch, from the wall clock (never the frozen now()).
std::int64_t wall_clock_us();

} // namespace tenancy::pg
