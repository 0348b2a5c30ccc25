// Which counters a turn touches, from the rows of tenancy.budgets and tenancy.rate_limits.
#pragma once

#include "pg/postgres.hpp"

#include <cstdint>

namespace tenancy::pg {

// Whom a turn counts for and from when: the SQL type tenancy.turn_scope.
struct TurnScope {
    const char *tenant_id;
    const char *session_id, *subject, *model; // nullptr: none
    TimestampTz admitted_at;
};

// One counter of a turn. Several budgets of one scope and period may be counted; at most one of
// them is in force.
struct Counter {
    std::int64_t budget_id; // 0: open turns of the tenant, for max_concurrent
    const char *scope, *scope_value, *period;
    TimestampTz window_start, window_end;
    std::int64_t money_limit, tokens_limit; // negative: none
    Datum warn_ratio;                       // numeric; 0: none
    bool in_force, enforced;

    bool counts_turns() const { return budget_id == 0; }
};

struct Counters {
    Counter *items;
    int count;
};

// In order of budget_id, so that all turns take counters in one order. In the current memory
// context. May ereport().
Counters counters_of(const TurnScope &turn);

} // namespace tenancy::pg
