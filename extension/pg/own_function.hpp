// Functions of the extension's schemas, for C++ that calls them.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// The function of exactly these types of arguments, whoever may execute it; 42883 when it is not
// there, as before an update of the extension has run.
Oid own_function(const char *schema, const char *name, const Oid *types = nullptr, int count = 0);

} // namespace tenancy::pg
