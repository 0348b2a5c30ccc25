#include "pg/postgres.hpp"

#include "pg/role_limits.hpp"

#include "pg/app_role.hpp"
#include "pg/guard_setting.hpp"

namespace tenancy::pg {

namespace {

constexpr int kAgainMs = 1000;

int max_statement_time = 0;   // ms, 0 = no limit
int max_transaction_time = 0; // ms, 0 = no limit

TimeoutId statement_timer = MAX_TIMEOUTS; // registered by each backend at its first use
TimeoutId transaction_timer = MAX_TIMEOUTS;

// What the timers run for. Read by signal handlers, which run on this process's only thread.
volatile TimestampTz statement_started = 0; // as GetCurrentStatementStartTimestamp()
volatile LocalTransactionId limited_transaction = InvalidLocalTransactionId;
TimestampTz transaction_deadline = 0;

// The limit that has cut something short, for the error that follows.
volatile bool statement_cut = false;
volatile bool transaction_cut = false;

ExecutorRun_hook_type next_run = nullptr;
ProcessUtility_hook_type next_utility = nullptr;
post_parse_analyze_hook_type next_analyze = nullptr;
planner_hook_type next_planner = nullptr;
emit_log_hook_type next_log = nullptr;
object_access_hook_type next_access = nullptr;

// Asks the backend to stop at its next look. Harmless between two statements: it is ignored there.
void interrupt(volatile sig_atomic_t &flag) {
    flag = 1;
    InterruptPending = 1;
    SetLatch(MyLatch);
}

// Idle within a transaction: the statement is over.
bool is_idle() {
    return MyBEEntry != nullptr && (MyBEEntry->st_state == STATE_IDLEINTRANSACTION ||
                                    MyBEEntry->st_state == STATE_IDLEINTRANSACTION_ABORTED);
}

// Runs each second from the deadline on: a function may have caught the first cancellation.
void at_statement_deadline() {
    if (statement_started != GetCurrentStatementStartTimestamp() || is_idle())
        return;
    statement_cut = true;
    interrupt(QueryCancelPending);
}

// Ends the session as idle_in_transaction_session_timeout does: an idle one cannot be cancelled.
void at_transaction_deadline() {
    if (limited_transaction == InvalidLocalTransactionId)
        return;
    transaction_cut = true;
    interrupt(ProcDiePending);
}

void register_timers() {
    if (statement_timer != MAX_TIMEOUTS)
        return;
    statement_timer = RegisterTimeout(USER_TIMEOUT, at_statement_deadline);
    transaction_timer = RegisterTimeout(USER_TIMEOUT, at_transaction_deadline);
}

void limit_statement() {
    const TimestampTz started = GetCurrentStatementStartTimestamp();
    if (max_statement_time == 0 || statement_started == started)
        return;
    statement_cut = false;
    statement_started = started;
    enable_timeout_every(statement_timer, TimestampTzPlusMilliseconds(started, max_statement_time),
                         kAgainMs);
}

void limit_transaction() {
    if (max_transaction_time == 0)
        return;
    const LocalTransactionId here = current_lxid();
    if (limited_transaction == here && get_timeout_active(transaction_timer))
        return; // PostgreSQL stops all timers at an error
    limited_transaction = here;
    transaction_deadline =
        TimestampTzPlusMilliseconds(GetCurrentTransactionStartTimestamp(), max_transaction_time);
    enable_timeout_at(transaction_timer, transaction_deadline);
}

// Called wherever a statement may begin to take time; the first call of a statement counts.
void limit() {
    if ((max_statement_time == 0 && max_transaction_time == 0) || IsParallelWorker() ||
        !IsTransactionState() || !guard_stands(Guard::limits) || !application_caused_this())
        return;
    register_timers();
    limit_statement();
    limit_transaction();
}

void at_transaction_end(XactEvent event, void * /*arg*/) {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
        return;
    if (statement_started != 0)
        disable_timeout(statement_timer, false);
    if (limited_transaction != InvalidLocalTransactionId)
        disable_timeout(transaction_timer, false);
    statement_started = 0; // what follows in the same message begins anew, with the same start
    limited_transaction = InvalidLocalTransactionId;
}

// The error that aborts a subtransaction has stopped the timers, and nothing may follow: the
// transaction could sit there, with its locks, for ever.
void at_subtransaction_end(SubXactEvent event, SubTransactionId /*mine*/,
                           SubTransactionId /*parent*/, void * /*arg*/) {
    if (event == SUBXACT_EVENT_ABORT_SUB && limited_transaction != InvalidLocalTransactionId &&
        !get_timeout_active(transaction_timer))
        enable_timeout_at(transaction_timer, transaction_deadline);
}

// Version 18 has one parameter less.
template <class... Rest>
void run(QueryDesc *query, Rest... rest) {
    limit();
    const auto next = next_run != nullptr ? next_run : standard_ExecutorRun;
    next(query, rest...);
}

void utility(PlannedStmt *planned, const char *text, bool read_only, ProcessUtilityContext context,
             ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination,
             QueryCompletion *completion) {
    limit();
    const auto next = next_utility != nullptr ? next_utility : standard_ProcessUtility;
    next(planned, text, read_only, context, parameters, environment, destination, completion);
}

void analyze(ParseState *state, Query *query, JumbleState *jumble) {
    limit();
    if (next_analyze != nullptr)
        next_analyze(state, query, jumble);
}

PlannedStmt *plan(Query *query, const char *text, int options, ParamListInfo parameters) {
    limit();
    const auto next = next_planner != nullptr ? next_planner : standard_planner;
    return next(query, text, options, parameters);
}

// A function called by the protocol's own message, without a statement, comes by here only.
void access(ObjectAccessType kind, Oid catalog, Oid object, int part, void *arg) {
    if (kind == OAT_FUNCTION_EXECUTE)
        limit();
    if (next_access != nullptr)
        next_access(kind, catalog, object, part, arg);
}

// PostgreSQL words these errors as an administrator's doing; say which setting it was.
void explain_cut(ErrorData *error) {
    const bool cut = (statement_cut && error->sqlerrcode == ERRCODE_QUERY_CANCELED) ||
                     (transaction_cut && error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN);
    if (cut && error->detail == nullptr)
        error->detail = MemoryContextStrdup(
            error->assoc_context,
            psprintf("It took longer than %s allows this role (%d ms).",
                     transaction_cut ? "tenancy.max_transaction_time"
                                     : "tenancy.max_statement_time",
                     transaction_cut ? max_transaction_time : max_statement_time));
    if (next_log != nullptr)
        next_log(error);
}

void define_time(const char *name, const char *what, const char *more, int *value) {
    DefineCustomIntVariable(name, what, more, value, 0, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr,
                            nullptr, nullptr);
}

} // namespace

void define_limit_settings() {
    // Meant for ALTER ROLE ... SET on application roles. 0 leaves an attacker all the time he
    // wants.
    define_time("tenancy.max_statement_time",
                "Time after which a statement of an application role is cancelled.",
                "Counted from when the server got it. 0: no limit.", &max_statement_time);
    // Covers idle time within the transaction: whoever is idle in one holds its locks and keeps
    // VACUUM from every tenant's dead rows.
    define_time("tenancy.max_transaction_time",
                "Time after which a session in a transaction of an application role is ended.",
                "Idle time within the transaction counts. 0: no limit.", &max_transaction_time);
}

void role_limits_install() {
    next_run = ExecutorRun_hook;
    ExecutorRun_hook = run;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = utility;
    next_analyze = post_parse_analyze_hook;
    post_parse_analyze_hook = analyze;
    next_planner = planner_hook;
    planner_hook = plan;
    next_access = object_access_hook;
    object_access_hook = access;
    next_log = emit_log_hook;
    emit_log_hook = explain_cut;
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

} // namespace tenancy::pg
