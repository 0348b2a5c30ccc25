// tenancy.run_as_owner(): one statement with the rights of a table's owner and no more, the way
// CREATE INDEX runs an owner's functions. So a superuser who protects somebody's table does not
// run that person's CHECKs, index expressions or casts as a superuser.
#include "pg/postgres.hpp"

namespace tenancy::pg {

namespace {

Oid owner_of(Oid relation) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation %u does not exist", relation)));
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

// First column of the first row as text in memory of the caller; nullptr when there is none.
text *execute(const char *statement, MemoryContext caller) {
    SPI_connect();
    const int status = SPI_execute(statement, false, 0);
    if (status < 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("statement failed: %s", SPI_result_code_string(status))));
    text *result = nullptr;
    if (SPI_tuptable != nullptr && SPI_processed > 0) {
        const char *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
        MemoryContext own = MemoryContextSwitchTo(caller);
        result = value == nullptr ? nullptr : cstring_to_text(value);
        MemoryContextSwitchTo(own);
    }
    SPI_finish();
    return result;
}

} // namespace

} // namespace tenancy::pg

extern "C" {

PG_FUNCTION_INFO_V1(pgt_run_as_owner);

// 42501 unless the caller may act as the owner. Restricted: no SET ROLE back, no temporary objects,
// nothing left for commit. SECURITY_NOFORCE_RLS: the owner could lift FORCE anyway, and reads the
// rows that get their tenant. An error needs no clean-up here: aborting restores role and settings.
Datum pgt_run_as_owner(PG_FUNCTION_ARGS) {
    const Oid owner = tenancy::pg::owner_of(PG_GETARG_OID(0));
    const char *statement = text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (!has_privs_of_role(GetUserId(), owner))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be owner of table \"%s\"", get_rel_name(PG_GETARG_OID(0))),
                        errhint("Call it as the table's owner \"%s\", a member of that role, or a "
                                "superuser.",
                                GetUserNameFromId(owner, false))));
    Oid caller = InvalidOid;
    int context = 0;
    GetUserIdAndSecContext(&caller, &context);
    const int settings = NewGUCNestLevel();
    SetUserIdAndSecContext(owner, context | SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
    const text *result = tenancy::pg::execute(statement, CurrentMemoryContext);
    AtEOXact_GUC(false, settings);
    SetUserIdAndSecContext(caller, context);
    if (result == nullptr)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(result);
}
}
