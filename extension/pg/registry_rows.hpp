// Reads the registry tables into plain data in the current memory context. C only: every call here
// may ereport(), so no object with a destructor is alive.
#pragma once

#include "pg/postgres.hpp"

#include "pg/registry.hpp"

namespace tenancy::pg {

struct RegistryRelations {
    Oid issuers, signing_keys, tenants, tenant_claims, rate_limits, revoked_tokens,
        revoked_subjects;
    Oid tenants_index, tenant_claims_index, rate_limits_index, revoked_tokens_index,
        revoked_subjects_index;
};

struct TextList {
    char **items;
    int count;
};

// One row of tenancy.issuers; durations in seconds, 0 = no limit.
struct IssuerRow {
    char *issuer;
    TextList audiences;
    char *tenant_claim;
    bool allow_es256, allow_rs256;
    int typ; // core::TypRule
    TextList authorized_parties;
    int leeway_seconds, max_lifetime_seconds, max_age_seconds;
    bool require_subject, require_kid, require_audience;
    bool one_time;
    std::int64_t keys_until_us; // Unix microseconds; INT64_MAX: no such end
};

// One usable row of tenancy.signing_keys; times in microseconds since the Unix epoch.
struct KeyRow {
    char *issuer;
    char *kid;
    char *thumbprint;
    char *public_jwk;
    std::int64_t valid_from_us, valid_until_us;
};

struct RegistryRows {
    IssuerRow *issuers;
    int issuer_count;
    KeyRow *keys;
    int key_count;
};

// Looks the registry tables up by name; 55000 when the extension is not installed here.
RegistryRelations registry_relations();
// Whether a change of the relation may change which tokens verify (issuers and keys, read whole),
// or what becomes of a verified one (looked up for each token).
bool registry_says_trust(const RegistryRelations &, Oid relid);
bool registry_says_standing(const RegistryRelations &, Oid relid);
RegistryRows registry_read(const RegistryRelations &);
TenantEntry registry_read_tenant(const RegistryRelations &, const char *issuer,
                                 const char *claim_value);
// False: neither table has a block, so nobody has ever revoked a token or a subject, or all that
// was purged.
bool registry_has_revocations(const RegistryRelations &);
Revocation registry_read_revocation(const RegistryRelations &, const char *issuer,
                                    const char *token_id, const char *subject);

// Rates of a tenant: its own row, else the row of all tenants, else none.
RateLimits registry_read_rates(const RegistryRelations &, const char *tenant_id);

} // namespace tenancy::pg
