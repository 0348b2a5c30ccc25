#include "pg/postgres.hpp"

#include "pg/registry_rows.hpp"

#include "pg/heap_rows.hpp"

#include <cstring>
#include <limits>

namespace tenancy::pg {

namespace {

// Attribute numbers: the column order of sql/install/20-registry.sql. Upgrades only append columns.
enum IssuerColumn {
    issuer_issuer = 1,
    issuer_audiences,
    issuer_tenant_claim,
    issuer_algorithms,
    issuer_typ,
    issuer_authorized_parties,
    issuer_leeway_seconds,
    issuer_max_lifetime_seconds,
    issuer_max_age_seconds,
    issuer_require_subject,
    issuer_require_kid,
    issuer_require_audience,
    issuer_keys_until = 14,
    issuer_one_time
};
enum KeyColumn {
    key_issuer = 1,
    key_kid,
    key_thumbprint,
    key_algorithm,
    key_public_jwk,
    key_state,
    key_valid_from,
    key_valid_until
};
enum ClaimColumn { claim_issuer = 1, claim_value_column, claim_tenant_id };
enum TenantColumn { tenant_tenant_id = 1, tenant_status };
enum RevokedTokenColumn { revoked_issuer = 1, revoked_jti };
enum RevokedSubjectColumn { cut_issuer = 1, cut_subject, cut_issued_before };
enum RateColumn {
    rate_tenant_id = 1,
    rate_requests_per_minute,
    rate_burst,
    rate_tokens_per_minute,
    rate_subject_requests_per_minute = 7
};

constexpr int kFirstCapacity = 16;

TextList text_list(const Row &row, int column) {
    Datum *elements = nullptr;
    TextList list{nullptr, 0};
    if (row.is_null(column))
        return list;
    deconstruct_array(DatumGetArrayTypeP(row.values[column - 1]), TEXTOID, -1, false, TYPALIGN_INT,
                      &elements, nullptr, &list.count);
    list.items = static_cast<char **>(palloc(sizeof(char *) * static_cast<Size>(list.count + 1)));
    for (int i = 0; i < list.count; i++)
        list.items[i] = TextDatumGetCString(elements[i]);
    return list;
}

bool contains(const TextList &list, const char *word) {
    for (int i = 0; i < list.count; i++)
        if (std::strcmp(list.items[i], word) == 0)
            return true;
    return false;
}

int typ_rule(const char *name) {
    if (std::strcmp(name, "any") == 0)
        return static_cast<int>(core::TypRule::any);
    if (std::strcmp(name, "JWT") == 0)
        return static_cast<int>(core::TypRule::jwt);
    return static_cast<int>(core::TypRule::access_token);
}

std::int64_t unix_us(const Row &row, int column, std::int64_t if_null) {
    if (row.is_null(column))
        return if_null;
    const TimestampTz at = DatumGetTimestampTz(row.values[column - 1]);
    if (TIMESTAMP_NOT_FINITE(at))
        return TIMESTAMP_IS_NOBEGIN(at) ? std::numeric_limits<std::int64_t>::min()
                                        : std::numeric_limits<std::int64_t>::max();
    return at + std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
}

IssuerRow issuer_row(const Row &row) {
    const TextList algorithms = text_list(row, issuer_algorithms);
    return {.issuer = row.cstring(issuer_issuer),
            .audiences = text_list(row, issuer_audiences),
            .tenant_claim = row.cstring(issuer_tenant_claim),
            .allow_es256 = contains(algorithms, "ES256"),
            .allow_rs256 = contains(algorithms, "RS256"),
            .typ = typ_rule(row.cstring(issuer_typ)),
            .authorized_parties = text_list(row, issuer_authorized_parties),
            .leeway_seconds = row.integer(issuer_leeway_seconds),
            .max_lifetime_seconds = row.integer(issuer_max_lifetime_seconds),
            .max_age_seconds = row.integer(issuer_max_age_seconds),
            .require_subject = row.boolean(issuer_require_subject),
            .require_kid = row.boolean(issuer_require_kid),
            .require_audience = row.boolean(issuer_require_audience),
            .one_time = row.boolean(issuer_one_time),
            .keys_until_us =
                unix_us(row, issuer_keys_until, std::numeric_limits<std::int64_t>::max())};
}

KeyRow key_row(const Row &row) {
    return {.issuer = row.cstring(key_issuer),
            .kid = row.cstring(key_kid),
            .thumbprint = row.cstring(key_thumbprint),
            .public_jwk = row.cstring(key_public_jwk),
            .valid_from_us = unix_us(row, key_valid_from, std::numeric_limits<std::int64_t>::max()),
            .valid_until_us =
                unix_us(row, key_valid_until, std::numeric_limits<std::int64_t>::max())};
}

// Keys that can verify now or later: staged ones have no valid_from yet, revoked ones never again.
bool is_usable_key(const Row &row) {
    const char *state = row.cstring(key_state);
    return std::strcmp(state, "active") == 0 || std::strcmp(state, "retiring") == 0;
}

template <class T>
T *grown(T *items, int count, int &capacity) {
    if (count < capacity)
        return items;
    capacity = capacity == 0 ? kFirstCapacity : capacity * 2;
    const Size size = sizeof(T) * static_cast<Size>(capacity);
    return static_cast<T *>(items == nullptr ? palloc(size) : repalloc(items, size));
}

} // namespace

RegistryRelations registry_relations() {
    const Oid schema = get_namespace_oid("tenancy", true);
    return {.issuers = relation_named(schema, "issuers"),
            .signing_keys = relation_named(schema, "signing_keys"),
            .tenants = relation_named(schema, "tenants"),
            .tenant_claims = relation_named(schema, "tenant_claims"),
            .rate_limits = relation_named(schema, "rate_limits"),
            .revoked_tokens = relation_named(schema, "revoked_tokens"),
            .revoked_subjects = relation_named(schema, "revoked_subjects"),
            .tenants_index = relation_named(schema, "tenants_pkey"),
            .tenant_claims_index = relation_named(schema, "tenant_claims_pkey"),
            .rate_limits_index = relation_named(schema, "rate_limits_pkey"),
            .revoked_tokens_index = relation_named(schema, "revoked_tokens_pkey"),
            .revoked_subjects_index = relation_named(schema, "revoked_subjects_pkey")};
}

bool registry_says_trust(const RegistryRelations &relations, Oid relid) {
    return relid == relations.issuers || relid == relations.signing_keys;
}

bool registry_says_standing(const RegistryRelations &relations, Oid relid) {
    return relid == relations.tenants || relid == relations.tenant_claims ||
           relid == relations.rate_limits || relid == relations.revoked_tokens ||
           relid == relations.revoked_subjects;
}

RegistryRows registry_read(const RegistryRelations &relations) {
    RegistryRows rows{};
    int issuer_capacity = 0;
    int key_capacity = 0;
    for_each_row(relations.issuers, InvalidOid, 0, nullptr, [&](const Row &row) {
        rows.issuers = grown(rows.issuers, rows.issuer_count, issuer_capacity);
        rows.issuers[rows.issuer_count++] = issuer_row(row);
    });
    for_each_row(relations.signing_keys, InvalidOid, 0, nullptr, [&](const Row &row) {
        const KeyRow key = key_row(row);
        if (!is_usable_key(row) || key.valid_until_us <= wall_clock_us())
            return;
        rows.keys = grown(rows.keys, rows.key_count, key_capacity);
        rows.keys[rows.key_count++] = key;
    });
    return rows;
}

TenantEntry registry_read_tenant(const RegistryRelations &relations, const char *issuer,
                                 const char *claim_value) {
    TenantEntry entry{};
    ScanKeyData keys[2];
    text_key(&keys[0], claim_issuer, issuer);
    text_key(&keys[1], claim_value_column, claim_value);
    for_each_row(relations.tenant_claims, relations.tenant_claims_index, 2, keys,
                 [&](const Row &row) {
                     entry.known = true;
                     strlcpy(entry.tenant_id, row.cstring(claim_tenant_id), sizeof entry.tenant_id);
                 });
    if (!entry.known)
        return entry;
    text_key(&keys[0], tenant_tenant_id, entry.tenant_id);
    entry.suspended = true; // closed unless a row says otherwise
    for_each_row(relations.tenants, relations.tenants_index, 1, keys, [&](const Row &row) {
        entry.suspended = std::strcmp(row.cstring(tenant_status), "active") != 0;
    });
    entry.rates = registry_read_rates(relations, entry.tenant_id);
    return entry;
}

bool registry_has_revocations(const RegistryRelations &relations) {
    BlockNumber blocks = 0;
    for (const Oid relid : {relations.revoked_tokens, relations.revoked_subjects}) {
        Relation table = table_open(relid, AccessShareLock);
        blocks += smgrnblocks(RelationGetSmgr(table), MAIN_FORKNUM);
        table_close(table, AccessShareLock);
    }
    return blocks > 0;
}

Revocation registry_read_revocation(const RegistryRelations &relations, const char *issuer,
                                    const char *token_id, const char *subject) {
    Revocation revocation{false, std::numeric_limits<std::int64_t>::min()};
    ScanKeyData keys[2];
    text_key(&keys[0], revoked_issuer, issuer);
    text_key(&keys[1], revoked_jti, token_id);
    if (*token_id != '\0')
        for_each_row(relations.revoked_tokens, relations.revoked_tokens_index, 2, keys,
                     [&](const Row &) { revocation.of_token = true; });
    text_key(&keys[1], cut_subject, subject);
    if (*subject != '\0')
        for_each_row(relations.revoked_subjects, relations.revoked_subjects_index, 2, keys,
                     [&](const Row &row) {
                         revocation.issued_before_us = unix_us(
                             row, cut_issued_before, std::numeric_limits<std::int64_t>::max());
                     });
    return revocation;
}

RateLimits registry_read_rates(const RegistryRelations &relations, const char *tenant_id) {
    const char *const owners[] = {tenant_id, kAllTenants};
    RateLimits rates{};
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        ScanKeyData key;
        text_key(&key, rate_tenant_id, owners[i]);
        for_each_row(relations.rate_limits, relations.rate_limits_index, 1, &key,
                     [&](const Row &row) {
                         found = true;
                         rates = {row.bigint(rate_requests_per_minute), row.bigint(rate_burst),
                                  row.bigint(rate_tokens_per_minute),
                                  row.bigint(rate_subject_requests_per_minute)};
                     });
    }
    return rates;
}

} // namespace tenancy::pg
