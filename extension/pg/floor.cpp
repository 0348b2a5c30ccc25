#include "pg/postgres.hpp"

#include "pg/floor.hpp"

#include "pg/guard_setting.hpp"
#include "pg/own_function.hpp"

namespace tenancy::pg {

namespace {

row_security_policy_hook_type next_hook = nullptr;

// A parsed (SELECT tenancy.current_tenant()). As a sub-select it is evaluated once per statement.
Node *tenant_sublink() {
    const Oid function = own_function("tenancy", "current_tenant");
    FuncExpr *call = makeFuncExpr(function, TEXTOID, NIL, DEFAULT_COLLATION_OID, InvalidOid,
                                  COERCE_EXPLICIT_CALL);
    Query *query = makeNode(Query);
    query->commandType = CMD_SELECT;
    query->canSetTag = true;
    query->jointree = makeFromExpr(NIL, nullptr);
    query->targetList = list_make1(
        makeTargetEntry(reinterpret_cast<Expr *>(call), 1, pstrdup("current_tenant"), false));
    SubLink *link = makeNode(SubLink);
    link->subLinkType = EXPR_SUBLINK;
    link->subselect = reinterpret_cast<Node *>(query);
    return reinterpret_cast<Node *>(link);
}

// The node tree that CREATE POLICY stores for tenant_column = (SELECT tenancy.current_tenant()):
// the planner drops the floor where the table's own policy is the same, so that it costs nothing.
Node *make_floor(Relation relation, const char *column) {
    const AttrNumber number = get_attnum(RelationGetRelid(relation), column);
    if (number == InvalidAttrNumber)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("protected table \"%s\" has lost its tenant column",
                               RelationGetRelationName(relation)),
                        errdetail("tenancy.protected_tables names column \"%s\".", column),
                        errhint("Restore the column, or call tenancy.unprotect_table().")));
    Form_pg_attribute column_of = TupleDescAttr(RelationGetDescr(relation), number - 1);
    Var *tenant =
        makeVar(1, number, column_of->atttypid, column_of->atttypmod, column_of->attcollation, 0);
    ParseState *state = make_parsestate(nullptr);
    List *equals = list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup("=")));
    auto *floor = reinterpret_cast<Node *>(
        make_op(state, equals, reinterpret_cast<Node *>(tenant), tenant_sublink(), nullptr, -1));
    assign_expr_collations(state, floor);
    free_parsestate(state);
    return floor;
}

const Node *floor_of(Relation relation, ProtectedTable &table) {
    if (table.floor == nullptr) {
        Node *floor = make_floor(relation, NameStr(table.tenant_column));
        MemoryContext caller = MemoryContextSwitchTo(guard_memory());
        table.floor = static_cast<Node *>(copyObjectImpl(floor));
        MemoryContextSwitchTo(caller);
    }
    return table.floor;
}

bool is_for_everyone(const RowSecurityPolicy &policy) {
    return !policy.permissive && policy.polcmd == '*' && ARR_DIMS(policy.roles)[0] == 1 &&
           *reinterpret_cast<const Oid *>(ARR_DATA_PTR(policy.roles)) == ACL_ID_PUBLIC;
}

RowSecurityPolicy *floor_policy(const Node *floor) {
    Datum everyone = ObjectIdGetDatum(ACL_ID_PUBLIC);
    auto *policy = static_cast<RowSecurityPolicy *>(palloc0(sizeof(RowSecurityPolicy)));
    policy->policy_name = pstrdup("tenancy floor");
    policy->polcmd = '*';
    policy->roles = construct_array(&everyone, 1, OIDOID, sizeof(Oid), true, TYPALIGN_INT);
    policy->permissive = false;
    policy->qual = static_cast<Expr *>(copyObjectImpl(floor));
    policy->with_check_qual = static_cast<Expr *>(copyObjectImpl(floor));
    policy->hassublinks = true;
    return policy;
}

List *restrictive_policies(CmdType command, Relation relation) {
    List *policies = next_hook != nullptr ? next_hook(command, relation) : NIL;
    if (!guard_stands(Guard::floor))
        return policies;
    ProtectedTable *table = find_protected(RelationGetRelid(relation));
    if (table == nullptr || has_tenant_policy(relation, *table))
        return policies;
    return lappend(policies, floor_policy(floor_of(relation, *table)));
}

} // namespace

bool has_tenant_policy(Relation relation, ProtectedTable &table) {
    if (relation->rd_rsdesc == nullptr)
        return false;
    const Node *floor = floor_of(relation, table);
    ListCell *cell = nullptr;
    foreach (cell, relation->rd_rsdesc->policies) {
        const auto *policy = static_cast<const RowSecurityPolicy *>(lfirst(cell));
        if (is_for_everyone(*policy) && equal(policy->qual, floor) &&
            (policy->with_check_qual == nullptr || equal(policy->with_check_qual, floor)))
            return true;
    }
    return false;
}

void floor_install() {
    next_hook = row_security_policy_hook_restrictive;
    row_security_policy_hook_restrictive = restrictive_policies;
}

} // namespace tenancy::pg
