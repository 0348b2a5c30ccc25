#include "pg/postgres.hpp"

#include "pg/planner_stats.hpp"

namespace tenancy::pg {

namespace {

get_relation_stats_hook_type next_relation_hook = nullptr;
get_index_stats_hook_type next_index_hook = nullptr;

// Most common values and histograms are drawn from the rows of all tenants. Whoever is under
// row-level security could read them out with EXPLAIN, because the planner compares them with his
// constants.
bool hides_statistics(Oid relid) {
    return OidIsValid(relid) && check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED;
}

void answer_without_statistics(VariableStatData *vardata) {
    vardata->statsTuple = nullptr;
    vardata->freefunc = nullptr;
}

bool relation_stats(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum,
                    VariableStatData *vardata) {
    if (rte->rtekind == RTE_RELATION && hides_statistics(rte->relid)) {
        answer_without_statistics(vardata);
        return true;
    }
    return next_relation_hook != nullptr && next_relation_hook(root, rte, attnum, vardata);
}

bool index_stats(PlannerInfo *root, Oid index, AttrNumber attnum, VariableStatData *vardata) {
    if (hides_statistics(IndexGetRelation(index, true))) {
        answer_without_statistics(vardata);
        return true;
    }
    return next_index_hook != nullptr && next_index_hook(root, index, attnum, vardata);
}

} // namespace

void planner_stats_install() {
    next_relation_hook = get_relation_stats_hook;
    get_relation_stats_hook = relation_stats;
    next_index_hook = get_index_stats_hook;
    get_index_stats_hook = index_stats;
}

} // namespace tenancy::pg
