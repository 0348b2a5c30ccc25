#include "pg/postgres.hpp"

#include "pg/planner_stats.hpp"

#include "pg/guard_setting.hpp"

namespace tenancy::pg {

namespace {

get_relation_stats_hook_type next_relation_hook = nullptr;
get_index_stats_hook_type next_index_hook = nullptr;
get_attavgwidth_hook_type next_width_hook = nullptr;

// Most common values and histograms are drawn from the rows of all tenants. Whoever is under
// row-level security could read them out with EXPLAIN, because the planner compares them with his
// constants.
bool hides_statistics(Oid relid) {
    return guard_stands(Guard::statistics) && OidIsValid(relid) &&
           check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED;
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

// Average widths are drawn from all rows as well, and EXPLAIN prints them. What the type's own
// width is stands for them. 0 would mean that the planner looks into the statistics itself.
int32 average_width(Oid relid, AttrNumber attnum) {
    if (hides_statistics(relid)) {
        Oid type = InvalidOid;
        Oid collation = InvalidOid;
        int32 modifier = -1;
        get_atttypetypmodcoll(relid, attnum, &type, &modifier, &collation);
        return get_typavgwidth(type, modifier);
    }
    return next_width_hook != nullptr ? next_width_hook(relid, attnum) : 0;
}

} // namespace

void planner_stats_install() {
    next_relation_hook = get_relation_stats_hook;
    get_relation_stats_hook = relation_stats;
    next_index_hook = get_index_stats_hook;
    get_index_stats_hook = index_stats;
    next_width_hook = get_attavgwidth_hook;
    get_attavgwidth_hook = average_width;
}

} // namespace tenancy::pg
