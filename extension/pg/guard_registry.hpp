// This backend's copy of tenancy.protected_tables and tenancy.app_roles. The tables are read as
// heap; no SQL, search_path or privilege of the calling role takes part.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// What is left of the protection of a table.
enum class Standing { unknown, intact, no_row_security, no_force, no_policy };

// A registered table, or a child (partition, inheritance) of one. Plain data.
struct ProtectedTable {
    Oid relid; // the key of the hash table: first
    bool looked_up;
    bool is_protected;
    bool is_child; // and not registered itself
    NameData tenant_column;
    Standing standing;
    Node *floor; // tenant_column = (SELECT tenancy.current_tenant()); nullptr until it is needed
};

// Registers the invalidation callbacks. Called when the module is loaded.
void guard_registry_initialize();

// Entry of a table that is registered or has a registered ancestor; nullptr for any other. Valid
// until the next call. May ereport().
ProtectedTable *find_protected(Oid relid);

// Whether the role is an application role or a member of one. Superusers are none.
bool is_application_role(Oid role);

// Whether tenancy.app_roles names this very role.
bool is_listed_application_role(Oid role);

// A registered table that is not the extension's own; InvalidOid when there is none.
Oid protected_user_table();

// Where nodes of entries live; emptied when the registry is read again.
MemoryContext guard_memory();

// Changes whenever what is above may answer something else.
uint64 guard_generation();

} // namespace tenancy::pg
