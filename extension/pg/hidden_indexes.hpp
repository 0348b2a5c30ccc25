// Keeps an application's plans from indexes that mix tenants.
#pragma once

namespace tenancy::pg {

// Installs the hook. Called once, in the postmaster.
void hidden_indexes_install();

} // namespace tenancy::pg
