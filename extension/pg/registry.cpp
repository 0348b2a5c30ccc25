#include "pg/postgres.hpp"

#include "pg/registry.hpp"

#include "core/jwk.hpp"
#include "pg/boundary.hpp"
#include "pg/crypto.hpp"
#include "pg/registry_rows.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>

namespace tenancy::pg {

namespace {

// Everything of C++ that lives as long as the backend, behind one pointer and never destroyed at
// exit. The issuers are replaced whole: a failed reload leaves the old ones in place.
struct Store {
    std::unique_ptr<core::IssuerSet> issuers;
    std::map<core::Sha256, const core::Issuer *> by_fingerprint;
};

Store *store = nullptr;
uint64 changes = 1;       // bumped by every invalidation that may concern us
uint64 trust_changes = 1; // bumped by those that may concern issuers and keys
uint64 loaded_trust = 0;  // value of `trust_changes` when issuers and keys were read
RegistryRelations relations{};

// Tenants this backend has looked up lately: many tokens name few tenants. Chosen by hash.
struct KnownTenant {
    uint64 generation; // value of `changes` when it was read; 0 = empty
    TenantEntry entry;
    char issuer[kMaxIssuerBytes + 1];
    char claim_value[kMaxClaimBytes + 1];
};

constexpr std::size_t kKnownTenants = 64;
KnownTenant *known_tenants = nullptr;

uint64 revocations_looked_at = 0; // value of `changes`
bool has_revocations = true;

KnownTenant &place_of_tenant(const char *issuer, const char *claim_value) {
    if (known_tenants == nullptr)
        known_tenants = static_cast<KnownTenant *>(
            MemoryContextAllocZero(TopMemoryContext, sizeof(KnownTenant) * kKnownTenants));
    const uint32 hash = hash_combine(string_hash(issuer, kMaxIssuerBytes + 1),
                                     string_hash(claim_value, kMaxClaimBytes + 1));
    return known_tenants[hash % kKnownTenants];
}

void on_invalidation(Datum /*arg*/, Oid relid) {
    if (relid == InvalidOid || registry_says_trust(relations, relid))
        ++trust_changes;
    else if (!registry_says_standing(relations, relid))
        return;
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
                              .one_time = row.one_time,
                              .require_audience = row.require_audience};
    for (int i = 0; i < row.audiences.count; i++)
        policy.audiences.emplace_back(row.audiences.items[i]);
    for (int i = 0; i < row.authorized_parties.count; i++)
        policy.authorized_parties.emplace_back(row.authorized_parties.items[i]);
    return policy;
}

// Fields one after another, each behind its length: two different lists never give the same text.
class FieldText {
public:
    void add(std::string_view field) {
        text_.append(std::to_string(field.size())).append(":").append(field);
    }
    void add(std::int64_t number) { add(std::to_string(number)); }
    void add(const TextList &list) {
        add(std::int64_t{list.count});
        for (int i = 0; i < list.count; i++)
            add(list.items[i]);
    }
    const std::string &text() const { return text_; }

private:
    std::string text_;
};

void add_policy(FieldText &fields, const IssuerRow &row) {
    fields.add(std::int64_t{MyDatabaseId});
    fields.add(row.issuer);
    fields.add(row.audiences);
    fields.add(row.tenant_claim);
    fields.add(row.authorized_parties);
    for (const int number :
         {static_cast<int>(row.allow_es256), static_cast<int>(row.allow_rs256), row.typ,
          row.leeway_seconds, row.max_lifetime_seconds, row.max_age_seconds,
          static_cast<int>(row.require_subject), static_cast<int>(row.require_kid),
          static_cast<int>(row.require_audience), static_cast<int>(row.one_time)})
        fields.add(std::int64_t{number});
    fields.add(row.keys_until_us);
}

void add_key(FieldText &fields, const KeyRow &key) {
    fields.add(key.kid);
    fields.add(key.public_jwk);
    fields.add(key.valid_from_us);
    fields.add(key.valid_until_us);
}

// What tenancy.keys calls the key too (sql/install/29-token-stats.sql): none of the parts has a
// line break in it.
core::Result<core::Sha256> identity_of(const core::Crypto &crypto, const KeyRow &key) {
    return crypto.sha256(std::string(key.issuer) + '\n' + key.kid + '\n' + key.thumbprint);
}

// Builds the issuer of one row with its keys. A policy that does not parse any more (edited by
// hand) fails the whole reload: closed, not half open.
core::Result<core::Issuer> build_issuer(const core::Crypto &crypto, const RegistryRows &rows,
                                        const IssuerRow &row) {
    auto path = core::ClaimPath::parse(row.tenant_claim);
    if (!path)
        return path.error();
    core::Issuer issuer{policy_of(row, std::move(*path)), {}};
    FieldText fields;
    add_policy(fields, row);
    fields.add(std::int64_t{crypto.requires_fips()});
    for (int i = 0; i < rows.key_count; i++) {
        const KeyRow &key = rows.keys[i];
        if (std::strcmp(key.issuer, row.issuer) != 0)
            continue;
        // Judged anew: a FIPS provider may refuse what was loaded without one. And OpenSSL's check
        // of an RSA modulus draws random bases: a key that is not sound can pass once and not the
        // next time. Then that key is not there; the others must not suffer.
        auto jwk = core::parse_jwk(crypto, key.public_jwk);
        if (!jwk && is_about_the_machine(jwk.error()))
            return jwk.error();
        if (!jwk)
            continue;
        const auto identity = identity_of(crypto, key);
        if (!identity)
            return identity.error();
        add_key(fields, key);
        issuer.keys.push_back({key.kid, jwk->algorithm, std::move(jwk->key), key.valid_from_us,
                               std::min(key.valid_until_us, row.keys_until_us), *identity});
    }
    const auto fingerprint = crypto.sha256(fields.text());
    if (!fingerprint)
        return fingerprint.error();
    issuer.fingerprint = *fingerprint;
    return issuer;
}

core::Result<bool> rebuild(const RegistryRows &rows) {
    if (store == nullptr)
        store = new Store;
    if (server_crypto() == nullptr)
        return crypto_trouble();
    auto fresh = std::make_unique<core::IssuerSet>();
    std::map<core::Sha256, const core::Issuer *> by_fingerprint;
    for (int i = 0; i < rows.issuer_count; i++) {
        auto issuer = build_issuer(*server_crypto(), rows, rows.issuers[i]);
        if (!issuer)
            return issuer.error();
        const core::Issuer &added = fresh->add(std::move(*issuer));
        by_fingerprint.emplace(added.fingerprint, &added);
    }
    store->issuers = std::move(fresh);
    store->by_fingerprint = std::move(by_fingerprint);
    return true;
}

void reload() {
    const uint64 trust = trust_changes; // read first: a change seen while reading reloads again
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
    loaded_trust = trust;
}

} // namespace

void registry_initialize() {
    CacheRegisterRelcacheCallback(on_invalidation, Datum{0});
}

uint64 registry_refresh() {
    AcceptInvalidationMessages();
    const uint64 generation = changes; // read first: what comes in from here on is newer
    if (loaded_trust != trust_changes)
        reload();
    return generation;
}

const core::IssuerSet &registry_issuers() {
    return *store->issuers;
}

const core::Issuer *registry_find_fingerprint(const core::Sha256 &fingerprint) {
    const auto found = store->by_fingerprint.find(fingerprint);
    return found == store->by_fingerprint.end() ? nullptr : found->second;
}

// What is remembered here is of one value of `changes`, taken before the rows were read: as good as
// the verdicts that are remembered by it.
TenantEntry registry_find_tenant(const char *issuer, const char *claim_value) {
    const uint64 generation = changes;
    KnownTenant &known = place_of_tenant(issuer, claim_value);
    if (known.generation == generation && std::strcmp(known.issuer, issuer) == 0 &&
        std::strcmp(known.claim_value, claim_value) == 0)
        return known.entry;
    const TenantEntry entry = registry_read_tenant(relations, issuer, claim_value);
    known.generation = 0; // incomplete
    if (entry.known && strlcpy(known.issuer, issuer, sizeof known.issuer) < sizeof known.issuer &&
        strlcpy(known.claim_value, claim_value, sizeof known.claim_value) <
            sizeof known.claim_value) {
        known.entry = entry;
        known.generation = generation;
    }
    return entry;
}

Revocation registry_find_revocation(const char *issuer, const char *token_id, const char *subject) {
    const uint64 generation = changes;
    if (revocations_looked_at != generation) {
        has_revocations = registry_has_revocations(relations);
        revocations_looked_at = generation;
    }
    if (!has_revocations)
        return {false, std::numeric_limits<std::int64_t>::min()};
    return registry_read_revocation(relations, issuer, token_id, subject);
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
