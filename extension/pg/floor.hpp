// The policy floor: on every protected table the tenant policy holds, whatever SQL did to the
// table's own policies.
#pragma once

#include "pg/postgres.hpp"

#include "pg/guard_registry.hpp"

namespace tenancy::pg {

// Installs the hook. Called once, in the postmaster.
void floor_install();

// Whether the table's own policies hold the floor: one that is restrictive, for all commands and
// roles, and says just that. May ereport().
bool has_tenant_policy(Relation relation, ProtectedTable &table);

} // namespace tenancy::pg
