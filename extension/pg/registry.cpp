#include "pg/postgres.hpp"

#include "pg/registry.hpp"

#include "core/jwk.hpp"
#include "pg/boundary.hpp"
#include "pg/registry_rows.hpp"

#include <cstring>
#include <limits>
#include <memory>
#include <string>

namespace tenancy::pg {

namespace {

// Everything of C++ that lives as long as the backend, behind one pointer and never destroyed at
// exit. The issuers are replaced whole: a failed reload leaves the old ones in place.
struct Store {
    std::unique_ptr<core::Crypto> crypto;
    std::unique_ptr<core::IssuerSet> issuers;
};

Store *store = nullptr;
uint64 changes = 1;           // bumped by every invalidation that may concern us
uint64 loaded_generation = 0; // value of `changes` when the issuers were read
RegistryRelations relations{};

void on_invalidation(Datum /*arg*/, Oid relid) {
    if (relid == InvalidOid || registry_has_relation(relations, relid))
        ++changes;
}

core::IssuerPolicy policy_of(const IssuerRow &row, core::ClaimPath path) {
    core::IssuerPolicy policy{.issuer = row.issuer,
                              .audiences = {},
                              .tenant_claim = std::move(path),
                              .allow_es256 = row.allow_es256,
                              .allow_rs256 = row.allow_rs256,
                              .typ = static_cast<core::TypRule>(row.typ),
                              .authorized_parties = {},
                              .leeway_seconds = row.leeway_seconds,
                              .max_lifetime_seconds = row.max_lifetime_seconds,
                              .max_age_seconds = row.max_age_seconds,
                              .require_subject = row.require_subject,
                              .require_kid = row.require_kid,
                              .require_audience = row.require_audience};
    for (int i = 0; i < row.audiences.count; i++)
        policy.audiences.emplace_back(row.audiences.items[i]);
    for (int i = 0; i < row.authorized_parties.count; i++)
        policy.authorized_parties.emplace_back(row.authorized_parties.items[i]);
    return policy;
}

// OpenSSL's check of an RSA modulus draws random bases: a key that is not sound can pass once and
// not the next time. Then that key is not there; the others must not suffer.
bool is_about_the_key(core::Code why) {
    return why != core::Code::out_of_memory && why != core::Code::crypto_unavailable &&
           why != core::Code::internal_error;
}

// Builds the issuer of one row with its keys. A policy that does not parse any more (edited by
// hand) fails the whole reload: closed, not half open.
core::Result<core::Issuer> build_issuer(const core::Crypto &crypto, const RegistryRows &rows,
                                        const IssuerRow &row) {
    auto path = core::ClaimPath::parse(row.tenant_claim);
    if (!path)
        return path.error();
    core::Issuer issuer{policy_of(row, std::move(*path)), {}};
    for (int i = 0; i < rows.key_count; i++) {
        const KeyRow &key = rows.keys[i];
        if (std::strcmp(key.issuer, row.issuer) != 0)
            continue;
        auto jwk = core::parse_jwk(crypto, key.public_jwk);
        if (!jwk && is_about_the_key(jwk.error()))
            continue;
        if (!jwk)
            return jwk.error();
        issuer.keys.push_back(
            {key.kid, jwk->algorithm, std::move(jwk->key), key.valid_from_us, key.valid_until_us});
    }
    return issuer;
}

core::Result<bool> rebuild(const RegistryRows &rows) {
    if (store == nullptr)
        store = new Store;
    if (!store->crypto) {
        auto crypto = core::Crypto::create();
        if (!crypto)
            return crypto.error();
        store->crypto = std::move(*crypto);
    }
    auto fresh = std::make_unique<core::IssuerSet>();
    for (int i = 0; i < rows.issuer_count; i++) {
        auto issuer = build_issuer(*store->crypto, rows, rows.issuers[i]);
        if (!issuer)
            return issuer.error();
        fresh->add(std::move(*issuer));
    }
    store->issuers = std::move(fresh);
    return true;
}

void reload() {
    const uint64 generation = changes; // read first: a change seen while reading reloads again
    relations = registry_relations();
    MemoryContext rows_context =
        AllocSetContextCreate(CurrentMemoryContext, "pg_tenancy registry", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(rows_context);
    const RegistryRows rows = registry_read(relations);
    const auto outcome = boundary::run([&] { return rebuild(rows); });
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(rows_context);
    if (!outcome.ok)
        ereport(ERROR,
                (errcode(ERRCODE_CONFIG_FILE_ERROR),
                 errmsg("issuers and signing keys cannot be loaded"),
                 errdetail("%s (%s)", core::code_text(outcome.code), core::code_name(outcome.code)),
                 errhint("Check tenancy.issuers and tenancy.signing_keys; change them only "
                         "through tenancy.add_issuer() and tenancy.load_jwks().")));
    loaded_generation = generation;
}

} // namespace

void registry_initialize() {
    CacheRegisterRelcacheCallback(on_invalidation, Datum{0});
}

uint64 registry_refresh() {
    AcceptInvalidationMessages();
    if (loaded_generation != changes)
        reload();
    return loaded_generation;
}

const core::IssuerSet &registry_issuers() {
    return *store->issuers;
}

const core::Crypto &registry_crypto() {
    return *store->crypto;
}

TenantEntry registry_find_tenant(const char *issuer, const char *claim_value) {
    return registry_read_tenant(relations, issuer, claim_value);
}

RateLimits registry_find_rates(const char *tenant_id) {
    return registry_read_rates(relations, tenant_id);
}

std::int64_t wall_clock_us() {
    constexpr std::int64_t epoch_shift_us =
        std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
    return GetCurrentTimestamp() + epoch_shift_us;
}

} // namespace tenancy::pg
