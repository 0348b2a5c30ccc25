// The setting tenancy.guard: which guards an administrator has lifted.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// Each can be lifted by its name. The order is that of the table in guard_setting.cpp.
enum class Guard {
    floor,
    protection,
    indexes,
    statistics,
    limits,
    explain,
    explain_analyze,
    role,
    lock,
    notify,
    listen,
    two_phase,
    hold,
    prepare,
    temp,
    create,
    do_block,
    load,
    truncate,
    copy,
    session_authorization,
    none // what no guard minds
};

// Registers tenancy.guard. Called once, in the postmaster.
void define_guard_setting();

// Whether the guard stands in this session. Does not ask who the user is.
bool guard_stands(Guard guard);

// Name by which it is lifted, and why it is there (a sentence).
const char *guard_name(Guard guard);
const char *guard_reason(Guard guard);

// Value of tenancy.guard that lifts this guard besides those that are lifted now.
const char *guard_setting_lifting(Guard guard);

} // namespace tenancy::pg
