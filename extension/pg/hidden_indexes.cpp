#include "pg/postgres.hpp"

#include "pg/hidden_indexes.hpp"

#include "pg/app_role.hpp"
#include "pg/guard_registry.hpp"
#include "pg/guard_setting.hpp"

namespace tenancy::pg {

namespace {

get_relation_info_hook_type next_hook = nullptr;

// The planner tests leakproof conditions on an index before the policy, and the time and the
// counters of that scan tell whether another tenant has the value. Unique checks and ON CONFLICT do
// not use this list. Extended statistics are drawn from the rows of all tenants as well.
void hide_mixed_indexes(RelOptInfo *relation, AttrNumber tenant) {
    ListCell *cell = nullptr;
    foreach (cell, relation->indexlist) {
        const auto *index = static_cast<const IndexOptInfo *>(lfirst(cell));
        if (index->indexkeys[0] != tenant)
            relation->indexlist = foreach_delete_current(relation->indexlist, cell);
    }
    relation->statlist = NIL;
}

void relation_info(PlannerInfo *root, Oid relid, bool is_parent, RelOptInfo *relation) {
    if (next_hook != nullptr)
        next_hook(root, relid, is_parent, relation);
    if (!guard_stands(Guard::indexes) || !application_runs_this())
        return;
    const ProtectedTable *table = find_protected(relid);
    if (table != nullptr)
        hide_mixed_indexes(relation, get_attnum(relid, NameStr(table->tenant_column)));
}

} // namespace

void hidden_indexes_install() {
    next_hook = get_relation_info_hook;
    get_relation_info_hook = relation_info;
}

} // namespace tenancy::pg
