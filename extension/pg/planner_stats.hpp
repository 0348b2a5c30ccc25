// Keeps the planner from looking at other tenants' values.
#pragma once

namespace tenancy::pg {

// Installs the hooks. Called once, in the postmaster.
void planner_stats_install();

} // namespace tenancy::pg
