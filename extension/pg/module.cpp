#include "pg/postgres.hpp"

#include "pg/crypto.hpp"
#include "pg/floor.hpp"
#include "pg/guard_registry.hpp"
#include "pg/guard_setting.hpp"
#include "pg/hidden_indexes.hpp"
#include "pg/ledger_lock.hpp"
#include "pg/lost_protection.hpp"
#include "pg/pending.hpp"
#include "pg/planner_stats.hpp"
#include "pg/refusal_log.hpp"
#include "pg/registry.hpp"
#include "pg/request.hpp"
#include "pg/role_limits.hpp"
#include "pg/shared_memory.hpp"
#include "pg/tenant_tools.hpp"
#include "pg/token.hpp"
#include "pg/utility_guard.hpp"

extern "C" {

PG_MODULE_MAGIC;

void _PG_init(); // NOLINT: the name PostgreSQL calls

// Runs in the postmaster only: settings must be there before the first session is, or their names
// could be taken by placeholders that anyone may set.
void _PG_init() { // NOLINT
    if (!process_shared_preload_libraries_in_progress)
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("pg_tenancy must be loaded via shared_preload_libraries"),
             errdetail("Loaded later it would leave sessions that began without it unguarded."),
             errhint("Add pg_tenancy to shared_preload_libraries in postgresql.conf and restart "
                     "the server.")));
    tenancy::pg::define_token_settings();
    tenancy::pg::define_request_settings();
    tenancy::pg::define_guard_setting();
    tenancy::pg::define_limit_settings();
    tenancy::pg::define_tool_settings();
    tenancy::pg::crypto_initialize();
    tenancy::pg::shared_memory_reserve();
    tenancy::pg::refusal_log_install();
    MarkGUCPrefixReserved("tenancy");
    tenancy::pg::planner_stats_install();
    tenancy::pg::floor_install();
    tenancy::pg::lost_protection_install();
    tenancy::pg::hidden_indexes_install();
    tenancy::pg::utility_guard_install();
    tenancy::pg::role_limits_install();
    tenancy::pg::ledger_lock_initialize();
    tenancy::pg::registry_initialize();
    tenancy::pg::guard_registry_initialize();
    tenancy::pg::pending_initialize();
}
}
