// Limits on the time of an application's statements and transactions. Unlike statement_timeout and
// its kin, which every user may set, only a superuser can change these.
#pragma once

namespace tenancy::pg {

// Registers tenancy.max_statement_time and tenancy.max_transaction_time. Called once, in the
// postmaster.
void define_limit_settings();

// Installs the hooks. Called once, in the postmaster.
void role_limits_install();

} // namespace tenancy::pg
