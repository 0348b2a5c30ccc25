// SQL functions that show what token verification has done: sql/install/29-token-stats.sql declares
// them.
#include "pg/postgres.hpp"

#include "core/code.hpp"
#include "pg/key_uses.hpp"
#include "pg/token_stats.hpp"

#include <algorithm>

namespace tenancy::pg {

namespace {

struct EventName {
    TokenEvent event;
    const char *name;
};

constexpr EventName kEventNames[kTokenEvents] = {{TokenEvent::verified, "verified"},
                                                 {TokenEvent::shared_hit, "shared_hits"},
                                                 {TokenEvent::local_hit, "local_hits"},
                                                 {TokenEvent::eviction, "evictions"}};

void put_counter(const ReturnSetInfo *result, const char *kind, const char *name, uint64 count) {
    Datum values[] = {CStringGetTextDatum(kind), CStringGetTextDatum(name),
                      Int64GetDatum(static_cast<std::int64_t>(count))};
    bool nulls[lengthof(values)] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

TimestampTz timestamp_of(uint64 unix_us) {
    return static_cast<std::int64_t>(unix_us) -
           std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
}

Datum bytea_of(const core::Sha256 &digest) {
    auto *bytes = static_cast<bytea *>(palloc(VARHDRSZ + digest.size()));
    SET_VARSIZE(bytes, VARHDRSZ + digest.size());
    std::copy(digest.begin(), digest.end(), VARDATA(bytes));
    return PointerGetDatum(bytes);
}

} // namespace

} // namespace tenancy::pg

using namespace tenancy;     // NOLINT: SQL entry points live outside any namespace
using namespace tenancy::pg; // NOLINT

extern "C" {

PG_FUNCTION_INFO_V1(pgt_token_counters);
PG_FUNCTION_INFO_V1(pgt_key_uses);

Datum pgt_token_counters(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    const auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    for (const EventName &entry : kEventNames)
        put_counter(result, "event", entry.name, token_stats_read(entry.event));
    for (int i = 0; i < core::kCodeCount; i++) {
        const auto why = static_cast<core::Code>(i);
        if (const uint64 count = token_stats_read_refusals(why); count > 0)
            put_counter(result, "refusal", core::code_name(why), count);
    }
    PG_RETURN_VOID();
}

Datum pgt_key_uses(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    const auto kind = static_cast<UseKind>(PG_GETARG_INT32(0));
    const auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    int count = 0;
    Use *uses = uses_table().is_ready() ? uses_table().snapshot(count) : nullptr;
    for (int i = 0; i < count; i++) {
        Use &use = uses[i];
        if (use.key.database != MyDatabaseId || use.key.kind != kind)
            continue;
        Datum values[] = {bytea_of(use.key.subject),
                          Int64GetDatum(static_cast<std::int64_t>(pg_atomic_read_u64(&use.count))),
                          TimestampTzGetDatum(timestamp_of(pg_atomic_read_u64(&use.last_us)))};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    PG_RETURN_VOID();
}
}
