// Flows: the shared-memory table of GCRA arrival times, one per database, tenant and kind of unit.
// It survives nothing: after a crash restart every flow is new, which admits one burst at most.
#pragma once

#include "pg/postgres.hpp"

#include "core/gcra.hpp"
#include "pg/registry.hpp"
#include "pg/shared_table.hpp"

#include <cstdint>

namespace tenancy::pg {

enum class FlowKind : uint32 { requests = 1, tokens = 2, subject_requests = 3 };

// Hashed as raw bytes, so it is always zeroed first.
struct FlowKey {
    Oid database;
    FlowKind kind;
    char owner[kMaxTenantBytes + 8]; // a multiple of 8: no padding behind it
};
static_assert(sizeof(FlowKey) == sizeof(Oid) + sizeof(FlowKind) + kMaxTenantBytes + 8);

struct Flow {
    FlowKey key;
    pg_atomic_uint64 arrival_ns;
};

SharedTable<FlowKey, Flow> &flows_table();

// Flows of subjects have a table of their own: however many subjects one tenant has, the flows of
// tenants keep their room.
SharedTable<FlowKey, Flow> &subject_flows_table();

// Takes `cost` units of the flow of a tenant (or of a subject, by any name of up to
// kMaxTenantBytes) if its limit allows, in one compare-and-swap. PT503 when the table is not there,
// or full of flows that are in use: nothing is admitted unmetered. A full table of subjects forgets
// those who owe least; their tenants' limits hold all the same.
core::GcraDecision flows_take(const char *owner, FlowKind kind, const core::GcraLimit &limit,
                              std::int64_t cost);

// Gives units back that were taken at that time (Unix, microseconds) and not used, less what has
// run off since: that is back already, and would be taken from what others used. A flow that is
// gone has nothing to give back to.
void flows_give_back(const char *owner, FlowKind kind, const core::GcraLimit &limit,
                     std::int64_t units, std::int64_t taken_us);

// Drops the flows of a tenant of this database, not those of its subjects: they run off.
void flows_forget(const char *tenant_id);

} // namespace tenancy::pg
