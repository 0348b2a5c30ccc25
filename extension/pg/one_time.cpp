#include "pg/postgres.hpp"

#include "pg/one_time.hpp"

#include "pg/heap_rows.hpp"
#include "pg/ledger_lock.hpp"

namespace tenancy::pg {

namespace {

// The column order of sql/install/28-revocations.sql.
enum Column { used_issuer = 1, used_jti, used_expires_at };

enum class Use { none, ours, of_another };

// With a snapshot taken now: what committed while we waited for the lock is seen.
Use find_use(Relation table, Oid index, const char *issuer, const char *token_id) {
    ScanKeyData keys[2];
    text_key(&keys[0], used_issuer, issuer);
    text_key(&keys[1], used_jti, token_id);
    SysScanDesc scan = systable_beginscan(table, index, true, nullptr, 2, keys);
    Use use = Use::none;
    if (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row))
        use = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data))
                  ? Use::ours
                  : Use::of_another;
    systable_endscan(scan);
    return use;
}

void write_use(Relation table, const char *issuer, const char *token_id, std::int64_t expires_us) {
    constexpr std::int64_t kEpochShiftUs =
        std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
    Datum values[] = {CStringGetTextDatum(issuer), CStringGetTextDatum(token_id),
                      TimestampTzGetDatum(expires_us - kEpochShiftUs)};
    bool nulls[lengthof(values)] = {};
    CatalogTupleInsert(table, heap_form_tuple(RelationGetDescr(table), values, nulls));
    CommandCounterIncrement(); // a second call in the same statement finds it
}

} // namespace

bool use_once(const char *issuer, const char *token_id, std::int64_t expires_us) {
    PreventCommandIfReadOnly("the use of a one-time token");
    PreventCommandIfParallelMode("the use of a one-time token");
    lock_one_use(psprintf("%s\n%s", issuer, token_id)); // neither has a line break
    const Oid schema = get_namespace_oid("tenancy", true);
    Relation table = table_open(relation_named(schema, "used_tokens"), RowExclusiveLock);
    const Use use = find_use(table, relation_named(schema, "used_tokens_pkey"), issuer, token_id);
    if (use == Use::none)
        write_use(table, issuer, token_id, expires_us);
    table_close(table, NoLock);
    return use != Use::of_another;
}

} // namespace tenancy::pg
