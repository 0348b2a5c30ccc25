#include "pg/postgres.hpp"

#include "pg/own_function.hpp"

namespace tenancy::pg {

Oid own_function(const char *schema, const char *name, const Oid *types, int count) {
    const Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
                                         PointerGetDatum(buildoidvector(types, count)),
                                         ObjectIdGetDatum(get_namespace_oid(schema, false)));
    if (!OidIsValid(function))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("function %s.%s() does not exist", schema, name),
                        errhint("Run ALTER EXTENSION pg_tenancy UPDATE.")));
    return function;
}

} // namespace tenancy::pg
