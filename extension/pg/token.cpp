#include "pg/token.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

// Travels with each value through PostgreSQL's own stack of settings, so ROLLBACK TO SAVEPOINT and
// the end of a transaction restore it together with the value it belongs to.
struct Stamp {
    LocalTransactionId lxid;
    uint64 assignment;
    bool was_used;
};

enum Scope { scope_transaction, scope_session };

constexpr config_enum_entry kScopes[] = {{"transaction", scope_transaction, false},
                                         {"session", scope_session, false},
                                         {nullptr, 0, false}};

char *token_value = nullptr;
int scope_value = scope_transaction;
Stamp *stamp = nullptr; // of the value that stands; owned by the settings machinery
uint64 assignments = 0;

// Stamps a new value. Accepts anything: whether it is a token is decided by verification, and a
// message from here would print the value.
bool check_token(char **newval, void **extra, GucSource source) {
    if (*newval == nullptr || **newval == '\0' || source == PGC_S_TEST)
        return true;
    auto *fresh = static_cast<Stamp *>(setting_alloc(sizeof(Stamp)));
    if (fresh == nullptr) {
        GUC_check_errmsg("out of memory");
        return false;
    }
    hide_statement();
    *fresh = Stamp{current_lxid(), ++assignments, false};
    *extra = fresh;
    return true;
}

void assign_token(const char * /*newval*/, void *extra) {
    stamp = static_cast<Stamp *>(extra);
}

} // namespace

void hide_statement() {
    if (debug_query_string != nullptr && std::strstr(debug_query_string, "eyJ") != nullptr)
        pgstat_report_activity(STATE_RUNNING, "<statement with a token>");
}

void define_token_settings() {
    // USERSET on purpose: only a token that verifies does anything, so nothing an attacker can SET
    // forges a tenant. Hidden, so that one session's token is not another function's reading
    // matter.
    DefineCustomStringVariable(
        "tenancy.token", "Token that makes its tenant the context of the current transaction.",
        "Verified on first use. Dead in any other transaction than the one it was set in.",
        &token_value, "", PGC_USERSET,
        GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE |
            GUC_DISALLOW_IN_AUTO_FILE,
        check_token, assign_token, nullptr);
    // Superusers only: a pool whose role had 'session' would keep one client's tenant for the next.
    // Meant for ALTER ROLE ... SET on roles of people at a psql prompt.
    DefineCustomEnumVariable(
        "tenancy.context_scope", "How long a token that was set stays the tenant context.",
        "transaction: until the end of the transaction. session: until it expires or is replaced.",
        &scope_value, scope_transaction, kScopes, PGC_SUSET, GUC_NOT_IN_SAMPLE, nullptr, nullptr,
        nullptr);
}

TokenSetting token_setting() {
    const Stamp none{};
    const Stamp &here = stamp != nullptr ? *stamp : none;
    return {token_value != nullptr ? token_value : "", here.lxid, here.assignment, here.was_used};
}

bool scope_is_session() {
    return scope_value == scope_session;
}

void mark_token_used() {
    if (stamp != nullptr)
        stamp->was_used = true;
}

uint64 last_assignment() {
    return assignments;
}

void assign_token_locally(const char *token) {
    (void)set_config_option("tenancy.token", token, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                            true, ERROR, false);
}

} // namespace tenancy::pg
