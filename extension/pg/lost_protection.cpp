#include "pg/postgres.hpp"

#include "pg/lost_protection.hpp"

#include <tuple>

#include "pg/app_role.hpp"
#include "pg/floor.hpp"
#include "pg/guard_registry.hpp"
#include "pg/guard_setting.hpp"

namespace tenancy::pg {

namespace {

ExecutorCheckPerms_hook_type next_hook = nullptr;

Standing standing_of(Oid relid, ProtectedTable &table) {
    Relation relation = table_open(relid, AccessShareLock);
    Standing standing = Standing::intact;
    if (!relation->rd_rel->relrowsecurity)
        standing = Standing::no_row_security;
    else if (!relation->rd_rel->relforcerowsecurity)
        standing = Standing::no_force;
    else if (!has_tenant_policy(relation, table))
        standing = Standing::no_policy;
    table_close(relation, AccessShareLock);
    return standing;
}

char *qualified_name(Oid relid) {
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                      get_rel_name(relid));
}

const char *what_is_lost(Standing standing) {
    switch (standing) {
    case Standing::no_row_security:
        return "Row-level security is switched off.";
    case Standing::no_force:
        return "Row-level security is not forced on the owner.";
    default:
        return "It has no restrictive policy for all commands that keeps to the tenant.";
    }
}

char *what_restores(Oid relid, const ProtectedTable &table) {
    const char *name = qualified_name(relid);
    if (table.is_child)
        return psprintf("Use its protected parent, or protect it as well: SELECT "
                        "tenancy.protect_table(%s);",
                        quote_literal_cstr(name));
    if (table.standing != Standing::no_policy)
        return psprintf(
            "Restore it: ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
            name);
    return psprintf(
        "Restore it: DROP POLICY IF EXISTS tenant_wall ON %s; CREATE POLICY tenant_wall ON %s AS "
        "RESTRICTIVE USING (%s = (SELECT tenancy.current_tenant()));",
        name, name, quote_identifier(NameStr(table.tenant_column)));
}

[[noreturn]] void refuse(Oid relid, const ProtectedTable &table) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("table %s has lost its protection and is locked", qualified_name(relid)),
                    errdetail("%s", what_is_lost(table.standing)),
                    errhint("%s", what_restores(relid, table))));
    pg_unreachable();
}

// Whether an application may read or write the table as it stands.
bool is_intact(Oid relid, bool raise) {
    ProtectedTable *table = find_protected(relid);
    if (table == nullptr)
        return true;
    if (table->standing == Standing::unknown)
        table->standing = standing_of(relid, *table);
    if (table->standing != Standing::intact && raise)
        refuse(relid, *table);
    return table->standing == Standing::intact;
}

// The last parameter of the hook: whether to raise an error.
template <class... Rest>
bool last_of(Rest... rest) {
    return std::get<sizeof...(rest) - 1>(std::tuple(rest...));
}

bool are_intact(List *range_table, bool raise) {
    if (!guard_stands(Guard::protection) || !application_caused_this())
        return true;
    ListCell *cell = nullptr;
    foreach (cell, range_table) {
        const auto *entry = static_cast<const RangeTblEntry *>(lfirst(cell));
        // A child that the planner added for its parent is under the parent's policies.
        if (entry->rtekind == RTE_RELATION && is_named_in_query(*entry) &&
            entry->relkind != RELKIND_VIEW && !is_intact(entry->relid, raise))
            return false;
    }
    return true;
}

// Version 16 put a list of permissions before the last parameter.
template <class... Rest>
bool check_permissions(List *range_table, Rest... rest) {
    return are_intact(range_table, last_of(rest...)) &&
           (next_hook == nullptr || next_hook(range_table, rest...));
}

} // namespace

void lost_protection_install() {
    next_hook = ExecutorCheckPerms_hook;
    ExecutorCheckPerms_hook = check_permissions;
}

} // namespace tenancy::pg
