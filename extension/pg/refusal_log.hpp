// Refusals in the server log, at most so many per second: a flood of bad tokens must not become a
// flood of log lines. The counters of token_stats.hpp miss none.
#pragma once

#include "pg/postgres.hpp"

namespace tenancy::pg {

// Defines tenancy.refusal_log_rate and installs the hook. Called once, in the postmaster.
void refusal_log_install();

// Decides on the refusal that the function of that name (__func__) is about to raise: when its line
// must not be written it is kept out of the server log; the client gets its error all the same.
// Returns how many lines were left out since the last one that was written.
uint64 refusal_log_begin(const char *raised_by);

} // namespace tenancy::pg
