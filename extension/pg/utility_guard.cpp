#include "pg/postgres.hpp"

#include "pg/utility_guard.hpp"

#include "pg/app_role.hpp"
#include "pg/context.hpp"
#include "pg/guard_registry.hpp"
#include "pg/guard_setting.hpp"
#include "pg/heap_rows.hpp"
#include "pg/tenant_tools.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

ProcessUtility_hook_type next_hook = nullptr;
planner_hook_type next_planner = nullptr;

template <class T>
const T *as(const Node *statement) {
    return reinterpret_cast<const T *>(statement);
}

bool is_temporary(const RangeVar *relation) {
    return relation != nullptr &&
           (relation->relpersistence == RELPERSISTENCE_TEMP ||
            (relation->schemaname != nullptr && std::strcmp(relation->schemaname, "pg_temp") == 0));
}

Guard creating(const RangeVar *relation) {
    return is_temporary(relation) ? Guard::temp : Guard::create;
}

Guard of_explain(const ExplainStmt *statement) {
    ListCell *cell = nullptr;
    foreach (cell, statement->options) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        if (std::strcmp(option->defname, "analyze") == 0 && defGetBoolean(option))
            return Guard::explain_analyze;
    }
    return Guard::explain;
}

// SHARE ROW EXCLUSIVE and the like stop other tenants' writes, ACCESS EXCLUSIVE their reads. Weaker
// ones are what INSERT or SELECT takes anyway.
Guard of_lock(const LockStmt *statement) {
    return statement->mode > RowExclusiveLock ? Guard::lock : Guard::none;
}

Guard of_transaction(const TransactionStmt *statement) {
    switch (statement->kind) {
    case TRANS_STMT_PREPARE:
    case TRANS_STMT_COMMIT_PREPARED:
    case TRANS_STMT_ROLLBACK_PREPARED:
        return Guard::two_phase;
    default:
        return Guard::none;
    }
}

Guard of_set(const VariableSetStmt *statement) {
    const bool changes_user = statement->kind == VAR_SET_VALUE && statement->name != nullptr &&
                              std::strcmp(statement->name, "session_authorization") == 0;
    return changes_user ? Guard::session_authorization : Guard::none;
}

Guard of_copy(const CopyStmt *statement) {
    return statement->is_program || statement->filename != nullptr ? Guard::copy : Guard::none;
}

bool is_own_channel(const char *channel) {
    const Verdict *verdict = context_verify();
    return verdict != nullptr && is_channel_of(verdict->tenant_id, channel);
}

// Also of one's own channel: what listens is the session, and the next tenant in it would hear.
Guard of_listen(const ListenStmt *statement) {
    if (guard_stands(Guard::listen))
        return Guard::listen;
    return is_own_channel(statement->conditionname) ? Guard::none : Guard::notify;
}

Guard of_notify(const NotifyStmt *statement) {
    return is_own_channel(statement->conditionname) ? Guard::none : Guard::notify;
}

// Guard that minds the statement. What is not named here changes objects, privileges or the server.
Guard guard_of(const Node *statement) {
    switch (nodeTag(statement)) {
    case T_TransactionStmt:
        return of_transaction(as<TransactionStmt>(statement));
    case T_VariableSetStmt:
        return of_set(as<VariableSetStmt>(statement));
    case T_VariableShowStmt:
    case T_FetchStmt:
    case T_ClosePortalStmt:
    case T_DeallocateStmt:
    case T_DiscardStmt:
    case T_ConstraintsSetStmt:
    case T_CallStmt:
    case T_UnlistenStmt: // touches this session only
        return Guard::none;
    case T_DeclareCursorStmt:
        return (as<DeclareCursorStmt>(statement)->options & CURSOR_OPT_HOLD) != 0 ? Guard::hold
                                                                                  : Guard::none;
    case T_PrepareStmt: // drivers prepare by messages of the protocol, which do not come by here
    case T_ExecuteStmt:
        return Guard::prepare;
    case T_ExplainStmt:
        return of_explain(as<ExplainStmt>(statement));
    case T_CopyStmt:
        return of_copy(as<CopyStmt>(statement));
    case T_LockStmt:
        return of_lock(as<LockStmt>(statement));
    case T_ListenStmt:
        return of_listen(as<ListenStmt>(statement));
    case T_NotifyStmt:
        return of_notify(as<NotifyStmt>(statement));
    case T_CreateStmt:
        return creating(as<CreateStmt>(statement)->relation);
    case T_ViewStmt:
        return creating(as<ViewStmt>(statement)->view);
    case T_CreateSeqStmt:
        return creating(as<CreateSeqStmt>(statement)->sequence);
    case T_CreateTableAsStmt:
        return creating(as<CreateTableAsStmt>(statement)->into->rel);
    case T_DoStmt:
        return Guard::do_block;
    case T_LoadStmt:
        return Guard::load;
    case T_TruncateStmt:
        return Guard::truncate;
    case T_CreateRoleStmt:
    case T_AlterRoleStmt:
    case T_AlterRoleSetStmt:
    case T_DropRoleStmt:
    case T_GrantRoleStmt:
    case T_DropOwnedStmt:
    case T_ReassignOwnedStmt:
        return Guard::role;
    default:
        return Guard::create;
    }
}

[[noreturn]] void refuse(Node *statement, Guard guard) {
    const char *suffix = guard == Guard::explain_analyze ? " ANALYZE" : "";
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("%s%s is refused to application roles", CreateCommandName(statement), suffix),
             errdetail("Guard \"%s\" of pg_tenancy: %s", guard_name(guard), guard_reason(guard)),
             errhint("Use another role, or let a superuser lift it: ALTER ROLE %s SET "
                     "tenancy.guard = '%s'.",
                     quote_identifier(GetUserNameFromId(GetSessionUserId(), false)),
                     guard_setting_lifting(guard))));
    pg_unreachable();
}

// Whoever does it: the registry knows application roles by name, because that is what a dump can
// carry, and under a new name the role would be none.
void keep_name_of_application_role(const Node *statement) {
    if (nodeTag(statement) != T_RenameStmt || as<RenameStmt>(statement)->renameType != OBJECT_ROLE)
        return;
    const char *name = as<RenameStmt>(statement)->subname;
    if (is_listed_application_role(get_role_oid(name, true)))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("role \"%s\" is an application role and keeps its name", name),
                        errhint("Call tenancy.revoke_app() first, in each database that has the "
                                "extension, and tenancy.grant_app() with the new name after it.")));
}

// Where CREATE EXTENSION has put us, and who did; all zero without the extension.
struct Whereabouts {
    Oid schema, schema_owner, owner;
};

Oid owner_of_schema(Oid schema) {
    HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    const Oid owner = reinterpret_cast<Form_pg_namespace>(GETSTRUCT(tuple))->nspowner;
    ReleaseSysCache(tuple);
    return owner;
}

Whereabouts whereabouts() {
    Whereabouts here{};
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum("pg_tenancy"));
    for_each_row(ExtensionRelationId, ExtensionNameIndexId, 1, &key, [&](const Row &row) {
        here.schema = DatumGetObjectId(row.values[Anum_pg_extension_extnamespace - 1]);
        here.owner = DatumGetObjectId(row.values[Anum_pg_extension_extowner - 1]);
    });
    here.schema_owner = OidIsValid(here.schema) ? owner_of_schema(here.schema) : InvalidOid;
    return here;
}

// Our functions are in PL/pgSQL, so its extension takes us along.
bool takes_extension(const char *name) {
    return std::strcmp(name, "pg_tenancy") == 0 || std::strcmp(name, "plpgsql") == 0;
}

bool cascades_from(const DropStmt *drop) {
    if (drop->behavior != DROP_CASCADE ||
        (drop->removeType != OBJECT_EXTENSION && drop->removeType != OBJECT_SCHEMA))
        return false;
    const Oid schema = whereabouts().schema;
    ListCell *cell = nullptr;
    foreach (cell, drop->objects) {
        const char *name = strVal(lfirst(cell));
        if (drop->removeType == OBJECT_EXTENSION
                ? takes_extension(name)
                : OidIsValid(schema) && get_namespace_oid(name, true) == schema)
            return true;
    }
    return false;
}

bool cascades_from(const DropOwnedStmt *drop) {
    if (drop->behavior != DROP_CASCADE)
        return false;
    const Whereabouts here = whereabouts();
    ListCell *cell = nullptr;
    foreach (cell, drop->roles) {
        const Oid role = get_rolespec_oid(static_cast<RoleSpec *>(lfirst(cell)), true);
        if (OidIsValid(role) && (role == here.owner || role == here.schema_owner))
            return true;
    }
    return false;
}

// The database's owner, no superuser, can drop schema public, and the extension is usually in it.
bool drops_this_extension(const Node *statement) {
    switch (nodeTag(statement)) {
    case T_DropStmt:
        return cascades_from(as<DropStmt>(statement));
    case T_DropOwnedStmt:
        return cascades_from(as<DropOwnedStmt>(statement));
    default:
        return false;
    }
}

// Whoever does it: CASCADE takes the policies, and what is left of them lets every row through.
void keep_walls_of_user_tables(const Node *statement) {
    const Oid table = drops_this_extension(statement) ? protected_user_table() : InvalidOid;
    if (OidIsValid(table))
        ereport(ERROR,
                (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                 errmsg("cannot drop extension pg_tenancy while it protects table %s.%s",
                        quote_identifier(get_namespace_name(get_rel_namespace(table))),
                        quote_identifier(get_rel_name(table))),
                 errdetail("Its walls would go with it, and roles with privileges on the table "
                           "would see the rows of all tenants."),
                 errhint("Call tenancy.unprotect_table() for each table of "
                         "tenancy.protected_tables that is yours, or drop it, first.")));
}

// A transaction that has failed, or none, can look up nobody; nothing that is guarded runs in it.
void check(Node *statement) {
    if (!IsTransactionState() || nodeTag(statement) == T_VariableShowStmt)
        return;
    keep_name_of_application_role(statement);
    keep_walls_of_user_tables(statement);
    if (!application_runs_this())
        return;
    const Guard guard = guard_of(statement);
    if (guard != Guard::none && guard_stands(guard))
        refuse(statement, guard);
}

void process_utility(PlannedStmt *planned, const char *text, bool read_only,
                     ProcessUtilityContext context, ParamListInfo parameters,
                     QueryEnvironment *environment, DestReceiver *destination,
                     QueryCompletion *completion) {
    check(planned->utilityStmt);
    const auto next = next_hook != nullptr ? next_hook : standard_ProcessUtility;
    next(planned, text, read_only, context, parameters, environment, destination, completion);
}

// debug_print_plan is EXPLAIN by another way for whoever lets messages of that level through, and
// shows the plans within SECURITY DEFINER functions, too. Anyone may set both.
PlannedStmt *plan(Query *query, const char *text, int options, ParamListInfo parameters) {
    if (Debug_print_plan && client_min_messages <= LOG && guard_stands(Guard::explain) &&
        application_is_client())
        Debug_print_plan = false;
    const auto next = next_planner != nullptr ? next_planner : standard_planner;
    return next(query, text, options, parameters);
}

} // namespace

void utility_guard_install() {
    next_hook = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
    next_planner = planner_hook;
    planner_hook = plan;
}

} // namespace tenancy::pg
