// The setting tenancy.token: the whole state behind the tenant context. Its value proves nothing by
// itself; context.cpp verifies it. This file only knows when it was assigned.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// The token as it stands, with the assignment it came from. Plain data.
struct TokenSetting {
    const char *token; // "" when there is none; owned by the settings machinery
    LocalTransactionId
        lxid;          // transaction of the assignment; 0 = outside one (start-up, ALTER ROLE)
    uint64 assignment; // number of the assignment in this backend; 0 = never assigned
    bool was_used;     // mark_token_used() was called for this very assignment
};

// Registers tenancy.token and tenancy.context_scope. Called once, in the postmaster.
void define_token_settings();

// Replaces a statement text that may hold a token in pg_stat_activity. A function or setting can
// only do so once it runs, so bind parameters remain the better way.
void hide_statement();

TokenSetting token_setting();

// Whether tenancy.context_scope lets a token outlive the transaction that set it.
bool scope_is_session();

// Number of the latest assignment; every token assigned so far has this number or a smaller one.
uint64 last_assignment();

// SET LOCAL tenancy.token, by us. May ereport() (out of memory, in parallel mode).
void assign_token_locally(const char *token);

// Marks the assignment that stands. The mark lives and dies with it, in ROLLBACK TO SAVEPOINT too.
void mark_token_used();

} // namespace tenancy::pg
