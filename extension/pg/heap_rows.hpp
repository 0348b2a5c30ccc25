// Rows of the extension's own tables, read as heap: no SQL, search_path or privilege of the calling
// role takes part. Everything here may ereport(), so no object with a destructor is alive.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

namespace tenancy::pg {

// The tenant_id of rows that are for all tenants without one of their own; no tenant can have it.
inline constexpr char kAllTenants[] = "*";

// A row taken apart. Columns are read by attribute number.
struct Row {
    Datum *values;
    bool *nulls;

    bool is_null(int column) const { return nulls[column - 1]; }
    char *cstring(int column) const { return TextDatumGetCString(values[column - 1]); }
    bool boolean(int column) const { return DatumGetBool(values[column - 1]); }
    int integer(int column) const {
        return is_null(column) ? 0 : DatumGetInt32(values[column - 1]);
    }
    std::int64_t bigint(int column) const {
        return is_null(column) ? 0 : DatumGetInt64(values[column - 1]);
    }
};

inline Row take_apart(HeapTuple tuple, TupleDesc desc) {
    const auto width = static_cast<Size>(desc->natts);
    Row row{static_cast<Datum *>(palloc(sizeof(Datum) * width)),
            static_cast<bool *>(palloc(sizeof(bool) * width))};
    heap_deform_tuple(tuple, desc, row.values, row.nulls);
    return row;
}

// Calls fn for each row of the table, seen with a snapshot taken now: a revocation that committed
// while this transaction was already running counts.
template <class Fn>
void for_each_row(Oid relid, Oid index, int key_count, ScanKey keys, Fn fn) {
    Relation relation = table_open(relid, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(relation, index, OidIsValid(index), nullptr, key_count, keys);
    for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
         tuple = systable_getnext(scan))
        fn(take_apart(tuple, RelationGetDescr(relation)));
    systable_endscan(scan);
    table_close(relation, AccessShareLock);
}

inline void text_key(ScanKeyData *key, int column, const char *value) {
    ScanKeyInit(key, static_cast<AttrNumber>(column), BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(value));
}

// A table or index of the schema; 55000 when it is not there.
inline Oid relation_named(Oid schema, const char *name) {
    const Oid relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("extension pg_tenancy is not installed in this database"),
                        errdetail("Table tenancy.%s does not exist.", name),
                        errhint("Run CREATE EXTENSION pg_tenancy.")));
    return relid;
}

} // namespace tenancy::pg
